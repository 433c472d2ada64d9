"""The mill worker's own settings."""

task_routes = {"app.tasks.mill.*": "mill"}
