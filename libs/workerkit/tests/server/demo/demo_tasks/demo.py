"""Tasks that leave a trace in a folder, one line for each run."""

import os
import time
from pathlib import Path

import structlog
from demo_app import app
from pydantic import BaseModel, PositiveInt

from workerkit.errors import PermanentError, TransientError

TRACES = Path(os.environ["TRACES"])


class Order(BaseModel):
    number: PositiveInt
    tags: list[str] = []


def _trace(name: str, what: str) -> None:
    with (TRACES / name).open("a") as file:
        file.write(f"{what}\n")


@app.task(name="app.tasks.demo.mark")
def mark(name: str) -> None:
    """Leave a trace."""
    _trace(name, "run")


@app.task(name="app.tasks.demo.sleep")
def sleep(name: str, seconds: float) -> str:
    """Take some time."""
    _trace(name, "start")
    time.sleep(seconds)
    _trace(name, "end")
    return name


@app.task(name="app.tasks.demo.fail")
def fail(name: str, kind: str) -> None:
    """Fail in one of three ways."""
    _trace(name, "run")
    kinds = {"transient": TransientError, "permanent": PermanentError, "bug": ZeroDivisionError}
    raise kinds[kind](f"{kind} failure")


@app.task(name="app.tasks.demo.place")
def place(order: Order, day: str, count: PositiveInt = 1) -> Order:
    """Take a model and plain parameters, give back a model."""
    return Order(number=order.number + count, tags=[*order.tags, day])


@app.task(name="app.tasks.demo.chatter")
def chatter(secret: str) -> None:
    """Write a log line and send another task."""
    structlog.get_logger("demo").info("chatting", length=len(secret))
    app.send_task("app.tasks.demo.mark", kwargs={"name": secret})


@app.task(name="app.tasks.demo.big")
def big(size: PositiveInt) -> str:
    """Return a string of a size."""
    return "x" * size
