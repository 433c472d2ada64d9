"""Tasks that use everything of workerkit that is kept in Redis."""

import os
import time
from pathlib import Path
from typing import Any

from celery import chord

from app.celery_app import app, settings
from taskclient.client import TaskClient
from workerkit.alerts import send_alert
from workerkit.circuit_breaker import circuit_breaker
from workerkit.errors import PermanentError, TransientError
from workerkit.progress import Progress
from workerkit.single_instance import single_instance

TRACES = Path(os.environ["TRACES"])


def trace(name: str) -> int:
    with (TRACES / name).open("a") as file:
        file.write("start\n")
    return len((TRACES / name).read_text().splitlines())


@app.task(name="app.tasks.farm.work")
def work(name: str, seconds: float = 0) -> str:
    trace(name)
    time.sleep(seconds)
    return name


@app.task(name="app.tasks.farm.again", retry_jitter=False)
def again(name: str, times: int) -> int:
    if trace(name) < times:
        raise TransientError("not yet")
    return times


@app.task(name="app.tasks.farm.refuse")
def refuse(name: str) -> None:
    raise PermanentError(name)


@app.task(name="app.tasks.farm.alone")
def alone(name: str, seconds: float) -> str:
    with single_instance(name):
        time.sleep(seconds)
    return name


@app.task(name="app.tasks.farm.guarded", max_retries=0)
def guarded(*, works: bool) -> str:
    with circuit_breaker("well", fail_max=2, reset_seconds=60):
        if not works:
            raise ConnectionError("the well is dry")
    return "water"


@app.task(name="app.tasks.farm.count", bind=True)
def count(self: Any, steps: int) -> int:
    progress = Progress(self, per_second=1000)
    for step in range(1, steps + 1):
        progress(step, steps, "counting")
    return steps


@app.task(name="app.tasks.farm.bake")
def bake(name: str) -> str:
    """A chord of two services; gives the id of its body."""
    parts = [work.s(name=name), app.signature("app.tasks.mill.grind", kwargs={"name": name})]
    return str(chord(parts)(total.s()).id)


@app.task(name="app.tasks.farm.total")
def total(names: list[str]) -> list[str]:
    return names


@app.task(name="app.tasks.farm.order")
def order(name: str) -> list[str]:
    """Call another service by Celery and by taskclient, at two priorities, and tell people."""
    sent = app.send_task("app.tasks.mill.grind", kwargs={"name": f"{name} 1"}, queue="mill")
    urgent = app.send_task("app.tasks.mill.grind", kwargs={"name": f"{name} 2"}, queue="mill", priority=6)
    with TaskClient(settings.broker(), settings.results()) as client:
        third = client.send("app.tasks.mill.grind", name=f"{name} 3")
    send_alert("hungry", "no bread yet")
    return [str(sent.id), str(urgent.id), third.id]


@app.task(name="app.tasks.farm.effect", idempotent=True)
def effect(name: str) -> int:
    return trace(name)


@app.task(name="app.tasks.barn.paced", global_rate_limit="5/s")
def paced(name: str) -> int:
    return trace(name)


@app.task(name="app.tasks.barn.tick")
def tick() -> None:
    trace("tick")
