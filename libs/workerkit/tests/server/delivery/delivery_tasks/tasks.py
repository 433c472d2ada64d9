"""Each run leaves a line in a file named after its payload."""

import os
import signal
import time
from pathlib import Path
from typing import Literal

from delivery_app import app

from workerkit.errors import TransientError

TRACES = Path(os.environ["TRACES"])
WORKER = os.getpid()  # the main process: a pool process imports nothing again


def _trace(name: str, what: str) -> None:
    with (TRACES / name).open("a") as file:
        file.write(f"{what}\n")


@app.task(name="app.tasks.delivery.sleep")
def sleep(name: str, seconds: float = 0) -> str:
    """Take some time."""
    _trace(name, "start")
    time.sleep(seconds)
    _trace(name, "end")
    return name


@app.task(name="app.tasks.delivery.die")
def die(name: str, whom: Literal["process", "worker"]) -> None:
    """Kill the process that runs it, or the worker's main process too."""
    _trace(name, "start")
    if whom == "worker":
        os.kill(WORKER, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


@app.task(name="app.tasks.delivery.again", retry_jitter=False)
def again(name: str, times: int) -> str:
    """Succeed after so many attempts."""
    _trace(name, "start")
    if len((TRACES / name).read_text().splitlines()) < times:
        raise TransientError("not yet")
    return name


@app.task(name="app.tasks.delivery.fail")
def fail(name: str) -> None:
    """Be a bug."""
    _trace(name, "start")
    raise ZeroDivisionError(name)


fail.max_retries = 0

if os.environ.get("NEW_VERSION"):

    @app.task(name="app.tasks.delivery.new")
    def new(name: str) -> str:
        """Only a newer version knows it."""
        _trace(name, "start")
        return name
