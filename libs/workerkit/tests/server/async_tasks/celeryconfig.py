"""The async worker's own settings."""

worker_pool = "workerkit.async_tasks.pool:AsyncPool"
worker_coroutines = 300
task_routes = {"app.tasks.aio.*": "aio"}
