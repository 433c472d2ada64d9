"""What is this worker's own: one queue."""

task_routes = {"app.tasks.bench.*": "bench"}
