"""What is the reports worker's own; every other setting is workerkit's default."""

from celery.schedules import crontab

task_routes = {"app.tasks.reports.*": "reports"}

beat_schedule = {
    "daily-report": {"task": "app.tasks.reports.generate_daily_report", "schedule": crontab(hour=9, minute=0)}
}
