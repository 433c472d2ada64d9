"""What is the ingestion worker's own; every other setting is workerkit's default."""

task_routes = {"app.tasks.ingestion.*": "ingestion"}
