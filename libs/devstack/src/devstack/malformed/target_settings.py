"""Celery settings of the worker that malformed messages are sent to."""

task_routes = {"app.tasks.target.*": "target"}
task_soft_time_limit = 6
task_time_limit = 10
