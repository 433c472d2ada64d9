"""Tasks with limits; each leaves a line with the time of its start in a file."""

import os
import time
from pathlib import Path
from typing import Any

from celery import shared_task

from workerkit.errors import TransientError


def started(name: str, text: str) -> None:
    with (Path(os.environ["TRACES"]) / name).open("a") as file:
        file.write(f"{text} {time.time()}\n")


@shared_task(name="app.tasks.limits.paced", global_rate_limit="10/s")
def paced(name: str) -> None:
    started("paced", name)


@shared_task(name="app.tasks.limits.hourly", global_rate_limit="1/h")
def hourly(name: str) -> None:
    started("hourly", name)


@shared_task(name="app.tasks.limits.by_worker", rate_limit="2/s")
def by_worker(name: str) -> None:
    started("by_worker", name)


@shared_task(name="app.tasks.limits.free")
def free(name: str) -> None:
    started("free", name)


@shared_task(name="app.tasks.limits.fresh", max_queue_wait=1.0)
def fresh(name: str) -> str:
    started("fresh", name)
    return name


@shared_task(name="app.tasks.limits.again", max_queue_wait=1.0, bind=True, retry_backoff=3, retry_jitter=False)
def again(self: Any, name: str) -> int:
    started("again", name)
    if not self.request.retries:
        raise TransientError("once")
    retries: int = self.request.retries
    return retries


@shared_task(name="app.tasks.limits.forward")
def forward(name: str) -> str:
    fresh.apply_async(kwargs={"name": name}, queue="elsewhere")
    return name
