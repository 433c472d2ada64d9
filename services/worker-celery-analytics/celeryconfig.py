"""What is the analytics worker's own; every other setting is workerkit's default."""

from celery.schedules import crontab

task_routes = {"app.tasks.stats.*": "stats", "app.tasks.backtest.*": "backtest"}

# What beat shall send, by name, in UTC; published when the worker boots.
beat_schedule = {
    "refresh-all-stats": {"task": "app.tasks.stats.refresh_all_stats", "schedule": crontab(hour=2, minute=0)},
}
