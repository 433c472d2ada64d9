"""The delivery worker's own settings."""

task_routes = {"app.tasks.delivery.*": "delivery"}
