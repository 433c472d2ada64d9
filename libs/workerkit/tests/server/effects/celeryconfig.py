"""The effects worker's own settings."""

task_routes = {"app.tasks.effects.*": "effects"}
