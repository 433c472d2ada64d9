"""The shop worker's own settings."""

from celery.schedules import crontab

task_routes = {f"app.tasks.{queue}.*": queue for queue in ("orders", "mail", "images")}
beat_schedule = {
    "nightly-export": {"task": "app.tasks.orders.export", "schedule": crontab(hour=2, minute=0), "kwargs": {"rows": 3}},
}
