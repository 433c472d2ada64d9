"""The starter worker's own settings."""

task_routes = {"app.tasks.starter.*": "starter", "app.tasks.second.*": "second"}
