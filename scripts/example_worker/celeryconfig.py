"""What is the example worker's own; every other setting is workerkit's default."""

task_routes = {"app.tasks.example.*": "example"}

# What beat shall send, by name; published when the worker boots. For instance:
# from celery.schedules import crontab
# beat_schedule = {"nightly": {"task": "app.tasks.example.process", "schedule": crontab(hour=2, minute=0)}}
