"""The worker of the measurement: tasks that stop for nothing, and one that uses the processor."""

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import celeryconfig
from workerkit.app import create_app
from workerkit.settings import WorkerSettings

HARD_LIMIT = float(os.environ["BENCH_HARD_LIMIT"])
TRACE = Path(os.environ["BENCH_TRACE"])
app = create_app("bench", WorkerSettings(), celeryconfig, tasks_package="")


def _begin() -> None:
    TRACE.write_text(f"{time.monotonic()} {os.getpid()}\n")


def deaf() -> None:
    """Catch everything."""
    _begin()
    while True:
        try:
            while True:
                sum(range(1000))
        except BaseException:  # noqa: BLE001, S112  - that is what it is for
            continue


def c_loop() -> None:
    """Be in C code, where Python handles no signal."""
    _begin()
    sum(range(10**12))


async def patient() -> None:
    """Wait, whatever happens."""
    _begin()
    while True:
        try:
            await asyncio.sleep(3600)
        except BaseException:  # noqa: BLE001, S112
            continue


def burn(seconds: float) -> None:
    """Use the processor."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        sum(range(1000))


def _add(body: Callable[..., Any], hard: float) -> None:
    task: Any = app.task  # the stubs want limits in whole seconds
    task(name=f"app.tasks.bench.{body.__name__}", soft_time_limit=hard / 2, time_limit=hard, max_retries=0)(body)


def _as_coroutine(body: Callable[[], None]) -> Callable[..., Any]:
    async def run() -> None:
        body()

    run.__name__ = body.__name__
    return run


async def burn_on_the_loop(seconds: float) -> None:
    """Use the processor, and keep the event loop."""
    burn(seconds)


if os.environ["BENCH_COROUTINES"] == "1":
    for plain in (deaf, c_loop):
        _add(_as_coroutine(plain), HARD_LIMIT)
    _add(patient, HARD_LIMIT)
    burn_on_the_loop.__name__ = "burn"
    _add(burn_on_the_loop, 60)
else:
    for plain in (deaf, c_loop):
        _add(plain, HARD_LIMIT)
    _add(burn, 60)
