"""What is the template's bench worker's own: one queue."""

task_routes = {"app.tasks.bench.*": "bench"}
