"""What is the email worker's own; every other setting is workerkit's default."""

task_routes = {"app.tasks.email.*": "email"}
