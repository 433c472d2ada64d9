"""What is the etl worker's own; every other setting is workerkit's default."""

task_routes = {"app.tasks.etl.*": "etl"}
