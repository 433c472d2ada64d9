"""Each run leaves a line in a file named after its payload; many share one file."""

import os
import signal
import time
from pathlib import Path

from celery.exceptions import SoftTimeLimitExceeded
from short_tasks_app import app

from workerkit.errors import TransientError

TRACES = Path(os.environ["TRACES"])


def _trace(name: str, what: str) -> None:
    descriptor = os.open(TRACES / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{what}\n".encode())
    os.close(descriptor)


@app.task(name="app.tasks.short.count", ignore_result=True)
def count(number: int) -> None:
    """Leave the number in the file of all."""
    _trace("all", str(number))


@app.task(name="app.tasks.short.sleep")
def sleep(name: str, seconds: float = 0) -> str:
    """Take some time."""
    _trace(name, "start")
    time.sleep(seconds)
    _trace(name, "end")
    return name


@app.task(name="app.tasks.short.die")
def die(name: str) -> None:
    """Kill the process that runs it."""
    _trace(name, "start")
    os.kill(os.getpid(), signal.SIGKILL)


@app.task(name="app.tasks.short.leave")
def leave(name: str) -> None:
    """End the process that runs it."""
    _trace(name, "start")
    raise SystemExit(3)


@app.task(name="app.tasks.short.deaf", soft_time_limit=0.5, time_limit=1.5)
def deaf(name: str) -> None:
    """Stop for nothing."""
    _trace(name, "start")
    while True:
        try:
            time.sleep(10)
        except BaseException:  # noqa: BLE001
            _trace(name, "heard")


@app.task(name="app.tasks.short.crunch", soft_time_limit=0.5, time_limit=1.5)
def crunch(name: str) -> int:
    """Be in C code, where no signal handler of Python runs, and no other thread."""
    _trace(name, "start")
    return sum(range(10**13))


@app.task(name="app.tasks.short.grind", soft_time_limit=1, time_limit=15)
def grind(name: str) -> int:
    """Be in C code for longer than a lease."""
    _trace(name, "start")
    return sum(range(10**13))


@app.task(name="app.tasks.short.tidy", soft_time_limit=0.5, time_limit=20)
def tidy(name: str) -> str:
    """Clean up at the soft limit."""
    try:
        time.sleep(30)
    except SoftTimeLimitExceeded:
        _trace(name, "cleaned")
        return "cleaned"
    return "slept"


@app.task(name="app.tasks.short.slow", soft_time_limit=0.5, time_limit=20)
def slow() -> None:
    """Know nothing of limits."""
    time.sleep(30)


slow.max_retries = 0


@app.task(name="app.tasks.short.burn")
def burn(name: str, seconds: float) -> str:
    """Use a processor."""
    _trace(name, "start")
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass
    return name


@app.task(name="app.tasks.short.again", retry_jitter=False)
def again(name: str, times: int) -> str:
    """Succeed after so many attempts."""
    _trace(name, "start")
    if len((TRACES / name).read_text().splitlines()) < times:
        raise TransientError("not yet")
    return name


@app.task(name="app.tasks.short.fail")
def fail(name: str) -> None:
    """Be a bug."""
    raise ZeroDivisionError(name)


fail.max_retries = 0


@app.task(name="app.tasks.short.hold")
def hold(megabytes: int) -> int:
    """Use memory."""
    return len(b"x" * (megabytes * 1024 * 1024))


@app.task(name="app.tasks.short.old", max_queue_wait=0.5)
def old(name: str) -> None:
    """Not run when it comes late."""
    _trace(name, "start")


@app.task(name="app.tasks.short.limited", global_rate_limit="5/s", ignore_result=True)
def limited(number: int) -> None:
    """Not run more often than five times a second."""
    _trace("limited", f"{time.time():.3f}")


@app.task(name="app.tasks.short.early", acks_late=False)
def early(name: str) -> None:
    """Kill its process after its message was acknowledged."""
    _trace(name, "start")
    os.kill(os.getpid(), signal.SIGKILL)
