"""Sends a task and prints its result, with nothing but `pip install celery[redis]`.

python send_with_celery.py app.tasks.email.send_email '{"to": "ada@example.com", "subject": "Hello", "body": "Hi"}'
"""

import json
import os
import sys

from celery import Celery

name, payload = sys.argv[1], json.loads(sys.argv[2])
broker = os.environ.get("BROKER_URL", "redis://localhost:6379/0")
results = os.environ.get("RESULT_URL", "redis://localhost:6379/1")  # the database after that of the broker

with Celery(broker=broker, backend=results) as app:
    task = app.send_task(name, kwargs=payload, queue=name.split(".")[2])  # the queue is the third part of the name
    print(json.dumps(task.get(timeout=20)))
