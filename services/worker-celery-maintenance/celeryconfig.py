"""What is the maintenance worker's own; every other setting is workerkit's default."""

from celery.schedules import crontab

task_routes = {"app.tasks.maintenance.*": "maintenance", "app.tasks.workflows.*": "workflows"}

beat_schedule = {
    # A tick that nobody has taken when the next one comes is of no use.
    "relay-outbox": {"task": "app.tasks.maintenance.relay_outbox", "schedule": 10.0, "options": {"expires": 10}},
    "nightly": {"task": "app.tasks.workflows.nightly", "schedule": crontab(hour=1, minute=0)},
    "weekly-cleanup": {
        "task": "app.tasks.maintenance.cleanup",
        "schedule": crontab(hour=2, minute=0, day_of_week="sunday"),
    },
}
