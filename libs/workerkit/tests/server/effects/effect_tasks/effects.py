"""Tasks with an effect that can be counted: a line in a file for each run, `start` and `end`."""

import os
import signal
import time
from pathlib import Path
from typing import Any

from effects_app import app

from workerkit.errors import PermanentError, TransientError

TRACES = Path(os.environ["TRACES"])


def _trace(name: str, what: str) -> None:
    with (TRACES / name).open("a") as file:
        file.write(f"{what}\n")


def _runs(name: str) -> int:
    return (TRACES / name).read_text().splitlines().count("start")


@app.task(bind=True, name="app.tasks.effects.work")
def work(self: Any, name: str, seconds: float = 0) -> dict[str, Any]:
    """Take some time; gives the number of the run and the id of the task that did it."""
    _trace(name, "start")
    time.sleep(seconds)
    _trace(name, "end")
    return {"run": _runs(name), "task": self.request.id}


@app.task(bind=True, name="app.tasks.effects.flaky")
def flaky(self: Any, name: str, good_from: int, lasting: bool = False) -> str:
    """Fail until run number `good_from`."""
    _trace(name, "start")
    if _runs(name) < good_from:
        raise PermanentError("no") if lasting else TransientError("not yet")
    return str(self.request.id)


@app.task(name="app.tasks.effects.brief", idempotency_seconds=1)
def brief(name: str) -> int:
    """Be remembered for a second."""
    _trace(name, "start")
    return _runs(name)


@app.task(bind=True, name="app.tasks.effects.always", idempotent=True)
def always(self: Any, name: str) -> str:
    """Have an effect, once for each task id."""
    _trace(name, "start")
    return str(self.request.id)


@app.task(bind=True, name="app.tasks.effects.hand_over")
def hand_over(self: Any, name: str) -> None:
    """End as another task."""
    _trace(f"{name}-over", "start")
    return self.replace(app.signature("app.tasks.effects.always", kwargs={"name": name}, immutable=True))


@app.task(name="app.tasks.effects.die", idempotent=True)
def die(name: str) -> None:
    """Be killed at each run."""
    _trace(name, "start")
    os.kill(os.getpid(), signal.SIGKILL)


@app.task(name="app.tasks.effects.die_after_effect")
def die_after_effect(name: str) -> int:
    """Have the effect, and be killed before anybody knows, at the first run."""
    _trace(name, "start")
    if _runs(name) == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return _runs(name)
