"""The clerk worker's own settings."""

task_routes = {"app.tasks.clerk.*": "clerk"}
