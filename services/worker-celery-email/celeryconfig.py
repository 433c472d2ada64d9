"""What is the email worker's own; every other setting is workerkit's default."""

import os

from taskclient.urls import is_amqp

task_routes = {"app.tasks.email.*": "email"}

# Sending a mail is waiting. RabbitMQ hands messages to Celery's own pools only; there each process sends one at a time.
worker_pool = (
    "workerkit.prefork.pool:TaskPool"
    if is_amqp(os.environ.get("TASK_BROKER_URL", ""))
    else "workerkit.async_tasks.pool:AsyncPool"
)
worker_concurrency = 1  # process
worker_coroutines = 20  # twice SMTP_CONNECTIONS; what could only wait here waits in the queue, for any worker
