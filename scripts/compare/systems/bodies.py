"""What the tasks do, the same in all systems: plain functions, and coroutines for systems that run coroutines."""

import asyncio
import os
import time
from collections.abc import Callable
from typing import Any

from compare.systems.record import end, start

IO_SECONDS, CPU_SECONDS, LONG_SECONDS = 0.01, 0.001, 0.1
NAP_SECONDS = 2.0
VARIANT = os.environ.get("BENCH_VARIANT", "")  # "results": they are kept; "kill": what was lost comes back soon
URL = os.environ.get("TASK_BROKER_URL", "")


def noop(number: int) -> None:
    """Do nothing."""
    end(number)


def answer(number: int) -> dict[str, int]:
    """Do nothing, and return a small result."""
    end(number)
    return {"number": number}


def wait(number: int) -> None:
    """Wait as for a slow server."""
    time.sleep(IO_SECONDS)
    end(number)


def compute(number: int) -> None:
    """Use one millisecond of a processor."""
    until = time.thread_time() + CPU_SECONDS
    while time.thread_time() < until:
        pass
    end(number)


def take(number: int, text: str) -> None:  # noqa: ARG001  - the payload is what counts
    """Take a large payload."""
    end(number)


def work(number: int, mark: str) -> None:  # noqa: ARG001  - found in Redis by its mark
    """Run long enough to be killed in the middle."""
    start(number)
    time.sleep(LONG_SECONDS)
    end(number)


def nap(number: int) -> None:
    """Keep a process, or a thread, from short tasks."""
    time.sleep(NAP_SECONDS)
    end(number)


async def _wait(number: int) -> None:
    await asyncio.sleep(IO_SECONDS)
    end(number)


async def _work(number: int, mark: str) -> None:  # noqa: ARG001  - found in Redis by its mark
    start(number)
    await asyncio.sleep(LONG_SECONDS)
    end(number)


async def _nap(number: int) -> None:
    await asyncio.sleep(NAP_SECONDS)
    end(number)


async def _noop(number: int) -> None:
    noop(number)


async def _answer(number: int) -> dict[str, int]:
    return answer(number)


async def _compute(number: int) -> None:
    compute(number)


async def _take(number: int, text: str) -> None:
    take(number, text)


PLAIN: dict[str, Callable[..., Any]] = {each.__name__: each for each in (noop, answer, wait, compute, take, work, nap)}
COROUTINES: dict[str, Callable[..., Any]] = {
    "noop": _noop,
    "answer": _answer,
    "wait": _wait,
    "compute": _compute,
    "take": _take,
    "work": _work,
    "nap": _nap,
}
