"""Tasks of which one runs at a time; they leave a trace."""

import os
import time
from pathlib import Path

from celery import chord
from toolbox_app import app

from workerkit.single_instance import single_instance

TRACES = Path(os.environ["TRACES"])


def _work(name: str, seconds: float) -> None:
    with (TRACES / name).open("a") as file:
        file.write(f"start {time.time()}\n")
        file.flush()
        time.sleep(seconds)
        file.write(f"end {time.time()}\n")


@app.task(name="app.tasks.toolbox.alone")
def alone(name: str, seconds: float, timeout: float = 0, lease: float = 15) -> str:
    """Hold the lock of a name for some time."""
    with single_instance(name, timeout, lease=lease):
        _work(name, seconds)
    return name


@app.task(name="app.tasks.toolbox.decorated")
@single_instance("decorated")
def decorated(seconds: float) -> str:
    """Run alone as a whole."""
    _work("decorated", seconds)
    return "decorated"


@app.task(name="app.tasks.toolbox.both")
def both(name: str) -> str:
    """Send a chord of two parts that exclude each other; gives its id."""
    return str(chord([alone.s(name, 2), alone.s(name, 2)])(total.s()).id)


@app.task(name="app.tasks.toolbox.total")
def total(names: list[str]) -> int:
    """Close a chord."""
    return len(names)
