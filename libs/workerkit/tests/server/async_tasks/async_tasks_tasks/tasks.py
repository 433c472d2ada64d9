"""Each run leaves a line in a file named after its payload; many share one file."""

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import structlog
from async_tasks_app import app
from celery import current_task
from celery.exceptions import SoftTimeLimitExceeded
from sqlalchemy import text

from workerkit.database import get_task_session
from workerkit.errors import TransientError
from workerkit.event_loop import run_async
from workerkit.single_instance import single_instance

TRACES = Path(os.environ["TRACES"])
log = structlog.get_logger("task")


def _trace(name: str, what: str) -> None:
    descriptor = os.open(TRACES / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{what}\n".encode())
    os.close(descriptor)


@app.task(name="app.tasks.aio.count", ignore_result=True)
async def count(number: int, seconds: float = 0) -> None:
    """Leave the number in the file of all."""
    if seconds:
        await asyncio.sleep(seconds)
    _trace("all", str(number))


@app.task(name="app.tasks.aio.sleep", bind=True)
async def sleep(self: Any, name: str, seconds: float = 0) -> str:
    """Take some time."""
    _trace(name, "start")
    await asyncio.sleep(seconds)
    _trace(name, "end" if self.request.id == current_task.request.id else "mixed up")
    return name


@app.task(name="app.tasks.aio.who", bind=True)
async def who(self: Any, seconds: float) -> list[str]:
    """Say whose request is seen in the coroutine, in one beside it, and in a thread, before and after a wait."""

    async def beside() -> str:
        await asyncio.sleep(seconds)
        log.info("beside")
        return str(self.request.id)

    def thread() -> str:
        time.sleep(seconds / 10)
        return str(current_task.request.id)

    found = [self.request.id, *await asyncio.gather(beside(), beside(), asyncio.to_thread(thread))]
    log.info("found", ids=found)
    return [*found, self.request.id]


@app.task(name="app.tasks.aio.die")
async def die(name: str, how: str = "task") -> None:
    """Kill the process that runs it, in its own code, in a coroutine beside it, or in a thread."""
    _trace(name, "start")
    await asyncio.sleep(0.2)

    async def beside() -> None:
        await asyncio.sleep(0)
        ctypes.string_at(0)

    if how == "task":
        os.kill(os.getpid(), signal.SIGKILL)
    elif how == "beside":
        await asyncio.gather(beside())
    else:
        await asyncio.to_thread(os._exit, 9)


@app.task(name="app.tasks.aio.work")
async def work(name: str, seconds: float) -> str:
    """Be at work, with short pauses."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        began = time.monotonic()
        while time.monotonic() < began + 0.01:
            pass
        await asyncio.sleep(0)
    return name


@app.task(name="app.tasks.aio.leave")
async def leave(name: str) -> None:
    """End the process that runs it."""
    _trace(name, "start")
    raise SystemExit(3)


@app.task(name="app.tasks.aio.deaf", soft_time_limit=0.5, time_limit=1.5)
async def deaf(name: str) -> None:
    """Stop for nothing."""
    _trace(name, "start")
    while True:
        try:
            await asyncio.sleep(10)
        except BaseException:  # noqa: BLE001
            _trace(name, "heard")


@app.task(name="app.tasks.aio.crunch", soft_time_limit=0.5, time_limit=1.5)
async def crunch(name: str) -> int:
    """Be in C code, where no signal handler of Python runs, and no other thread."""
    _trace(name, "start")
    return sum(range(10**13))


@app.task(name="app.tasks.aio.burn", soft_time_limit=0.5, time_limit=20)
async def burn(name: str, *, beside: bool = False) -> str:
    """Use the processor without a pause, itself or in a coroutine beside it, up to its soft limit."""
    _trace(name, "start")

    async def loop() -> None:
        while True:
            pass

    try:
        await (asyncio.gather(loop()) if beside else loop())
    except SoftTimeLimitExceeded:
        _trace(name, "cleaned")
    return "cleaned"


@app.task(name="app.tasks.aio.tidy", soft_time_limit=0.5, time_limit=20)
async def tidy(name: str, how: str = "sleep") -> str:
    """Clean up at the soft limit, wherever it waits."""
    waits = {
        "sleep": lambda: asyncio.sleep(30),
        "gather": lambda: asyncio.gather(asyncio.sleep(30), asyncio.sleep(30)),
        "timeout": lambda: asyncio.wait_for(asyncio.sleep(30), 25),
        "thread": lambda: asyncio.to_thread(time.sleep, 1.5),
        "event": lambda: asyncio.Event().wait(),
    }
    try:
        await waits[how]()
    except SoftTimeLimitExceeded:
        async with asyncio.timeout(5):
            await asyncio.sleep(0.1)  # it may await while it cleans up
        _trace(name, "cleaned")
        return "cleaned"
    return "slept"


@app.task(name="app.tasks.aio.slow", soft_time_limit=0.5, time_limit=20)
async def slow() -> None:
    """Know nothing of limits."""
    await asyncio.sleep(30)


slow.max_retries = 0


@app.task(name="app.tasks.aio.again", retry_jitter=False)
async def again(name: str, times: int) -> str:
    """Succeed after so many attempts."""
    _trace(name, "start")
    await asyncio.sleep(0)
    if len((TRACES / name).read_text().splitlines()) < times:
        raise TransientError("not yet")
    return name


@app.task(name="app.tasks.aio.fail")
async def fail(name: str) -> None:
    """Be a bug."""
    await asyncio.sleep(0)
    raise ZeroDivisionError(name)


fail.max_retries = 0


@app.task(name="app.tasks.aio.cancel")
async def cancel(name: str) -> None:
    """Cancel itself."""
    _trace(name, "start")
    asyncio.current_task().cancel()
    await asyncio.sleep(1)


cancel.max_retries = 0


@app.task(name="app.tasks.aio.nested")
async def nested() -> str:
    """Wait for a coroutine as only a plain task may."""

    async def inner() -> None:
        return None

    try:
        run_async(inner())
    except RuntimeError as error:
        return type(error).__name__
    return "waited"


@app.task(name="app.tasks.aio.old", max_queue_wait=0.5)
async def old(name: str) -> None:
    """Not run when it comes late."""
    _trace(name, "start")


@app.task(name="app.tasks.aio.limited", global_rate_limit="5/s", ignore_result=True)
async def limited(number: int) -> None:
    """Not run more often than five times a second."""
    _trace("limited", f"{time.time():.3f}")


@app.task(name="app.tasks.aio.early", acks_late=False)
async def early(name: str) -> None:
    """Kill its process after its message was acknowledged."""
    _trace(name, "start")
    os.kill(os.getpid(), signal.SIGKILL)


@app.task(name="app.tasks.aio.once", idempotent=True)
async def once(name: str) -> str:
    """Have an effect."""
    _trace(name, "start")
    await asyncio.sleep(0.3)
    return name


@app.task(name="app.tasks.aio.alone")
async def alone(name: str) -> str:
    """Hold a lock, and wait for it in synchronous code."""
    with single_instance("alone", 20):
        _trace(name, "start")
        await asyncio.sleep(0.5)
        _trace(name, "end")
    return name


@app.task(name="app.tasks.aio.tick")
async def tick(name: str, seconds: float) -> float:
    """Say how long the event loop was kept from this coroutine at most."""
    _trace(name, "start")
    longest, last = 0.0, time.monotonic()
    until = last + seconds
    while last < until:
        await asyncio.sleep(0.02)
        now = time.monotonic()
        longest, last = max(longest, now - last), now
    return longest


@app.task(name="app.tasks.aio.query", ignore_result=False)
async def query(number: int) -> int:
    """Ask the database, and hold the connection for a moment."""
    async with get_task_session() as session:
        found = await session.scalar(text("select cast(:n as int) from pg_sleep(0.01)"), {"n": number})
    return int(found)


@app.task(name="app.tasks.aio.shell")
async def shell() -> str:
    """Run a program."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", "print(42)", stdout=subprocess.PIPE)
    out, _ = await process.communicate()
    return out.decode().strip()
