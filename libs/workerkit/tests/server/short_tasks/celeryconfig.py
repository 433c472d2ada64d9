"""The short-task worker's own settings."""

worker_pool = "workerkit.short_tasks.pool:TaskPool"
task_routes = {"app.tasks.short.*": "short"}
