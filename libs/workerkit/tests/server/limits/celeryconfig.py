"""The limits worker's own settings."""

task_routes = {"app.tasks.limits.*": "limits"}
