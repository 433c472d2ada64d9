"""Each run leaves a line in a file named after its payload; in the pool for coroutines each task is one."""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, Literal

from delivery_app import app

from workerkit.errors import TransientError

TRACES = Path(os.environ["TRACES"])
COROUTINES = bool(os.environ.get("COROUTINES"))
WORKER = os.getpid()  # the main process: a pool process imports nothing again


def _trace(name: str, what: str) -> None:
    with (TRACES / name).open("a") as file:
        file.write(f"{what}\n")


def task(name: str, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    return lambda body: app.task(name=f"app.tasks.delivery.{name}", **options)(_coroutine(body))


def _coroutine(body: Callable[..., Any]) -> Callable[..., Any]:
    if not COROUTINES or asyncio.iscoroutinefunction(body):
        return body

    @wraps(body)
    async def run(*args: Any, **kwargs: Any) -> Any:
        return body(*args, **kwargs)

    return run


def sleep(name: str, seconds: float = 0, padding: str = "") -> str:
    """Take some time."""
    _trace(name, "start")
    time.sleep(seconds)
    _trace(name, "end")
    return name


async def sleep_on_the_loop(name: str, seconds: float = 0) -> str:
    """The same without keeping others from running."""
    _trace(name, "start")
    await asyncio.sleep(seconds)
    _trace(name, "end")
    return name


task("sleep")(sleep_on_the_loop if COROUTINES else sleep)


@task("die")
def die(name: str, whom: Literal["process", "worker"]) -> None:
    """Kill the process that runs it, or the worker's main process too."""
    _trace(name, "start")
    if whom == "worker":
        os.kill(WORKER, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


@task("again", retry_jitter=False)
def again(name: str, times: int) -> str:
    """Succeed after so many attempts."""
    _trace(name, "start")
    if len((TRACES / name).read_text().splitlines()) < times:
        raise TransientError("not yet")
    return name


@task("fail")
def fail(name: str) -> None:
    """Be a bug."""
    _trace(name, "start")
    raise ZeroDivisionError(name)


fail.max_retries = 0

if os.environ.get("NEW_VERSION"):

    @task("new")
    def new(name: str) -> str:
        """Only a newer version knows it."""
        _trace(name, "start")
        return name
