"""The clerk worker's own settings."""

task_routes = {"app.tasks.clerk.*": "clerk"}
beat_schedule = {
    "tea": {
        "task": "app.tasks.clerk.order",
        "schedule": 3600.0,
        "kwargs": {"customer": "ada@example.com", "lines": [{"item": "tea", "count": 4}]},
    }
}
