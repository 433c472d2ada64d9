"""Put beside the demo service's tasks by the tests of RabbitMQ."""

import time

from demo_app import app
from demo_tasks.demo import TRACES


def _trace(name: str, what: str) -> None:
    with (TRACES / name).open("a") as file:
        file.write(f"{what}\n")


@app.task(name="app.tasks.demo.hold")
def hold(name: str) -> str:
    """Run until a test lets it end, by a file."""
    _trace(name, "start")
    while not (TRACES / f"{name}.end").exists():
        time.sleep(0.05)
    _trace(name, "end")
    return name


@app.task(name="app.tasks.demo.hold_once", idempotent=True)
def hold_once(name: str) -> str:
    """Do the same, as a task whose effect must not happen twice."""
    return hold(name)


@app.task(name="app.tasks.demo.limited", global_rate_limit="5/s")
def limited(name: str) -> None:
    """Leave the time of its start."""
    _trace(name, str(time.time()))


@app.task(name="app.tasks.demo.hurried", max_queue_wait=1)
def hurried(name: str) -> None:
    """Leave a trace, unless nobody wants to know any more."""
    _trace(name, "run")
