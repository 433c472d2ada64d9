"""Sends a chain with a chord as another worker of this repository would: `send_flow.py BROKER_URL RESULT_URL`."""

import sys

from celery import chain, chord

from workerkit import amqp

app = amqp.App("sender", broker=sys.argv[1], backend=sys.argv[2])
app.conf.update(
    task_routes={"app.tasks.demo.*": "demo"}, **amqp.settings([], service="sender", delivery_limit=3, version="")
)


def step(task, **payload):
    return app.signature(f"app.tasks.demo.{task}", kwargs=payload, immutable=True)


parallel = chord([step("hold", name=name) for name in ("two", "three")], step("mark", name="body"), app=app)
chain(step("mark", name="one"), parallel, step("mark", name="last"), app=app).apply_async()
