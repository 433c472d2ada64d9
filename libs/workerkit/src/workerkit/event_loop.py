"""Runs coroutines from ordinary tasks, all of them on one event loop per process.

A loop per call, as `asyncio.run` makes it, would throw away every pooled connection after each task. The loop runs in a
thread of its own; in the pool for coroutines it is the main thread's.
"""

import asyncio
import atexit
import contextlib
import contextvars
import os
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

import structlog
from celery import signals

log = structlog.get_logger("worker")
T = TypeVar("T")
_MOST_BLOCKED = 16
_CLEANUP_SECONDS = 5.0  # for a cancelled coroutine, and for what the loop does at its end


class WrongThread(RuntimeError):
    """Something was called on the event loop that belongs off it, or the other way round."""


class _LoopThread:
    """An event loop that runs in a daemon thread until it is closed."""

    def __init__(self) -> None:
        self.at_end: list[Callable[[], Awaitable[None]]] = []
        self._ready = threading.Event()
        self.thread = threading.Thread(target=self._run, name="event-loop", daemon=True)
        self.thread.start()
        self._ready.wait()

    def _run(self) -> None:
        with contextlib.suppress(SystemExit, KeyboardInterrupt):  # of a task that a coroutine started
            asyncio.run(self._live())

    async def _live(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._closing = asyncio.Event()
        self._ready.set()
        await self._closing.wait()
        for hook in reversed(self.at_end):
            await hook()

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self._closing.set)
        self.thread.join(_CLEANUP_SECONDS)


class MainLoop:
    """An event loop that the process's main thread runs; not while this is made, nor while it is closed.

    Args:
        loop: it.
        run: waits for a coroutine on behalf of synchronous code that runs on the loop's own thread.
        wait: the same for a future, and nothing ends that waiting early.
        may_run: whether it can do so where it is called.
        may_pause: whether it can `wait`, or run a mere pause, which a coroutine's synchronous code may do as well.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        run: Callable[[Coroutine[Any, Any, Any]], Any],
        wait: Callable[[Awaitable[Any]], Any],
        may_run: Callable[[], bool],
        may_pause: Callable[[], bool],
    ) -> None:
        self.at_end: list[Callable[[], Awaitable[None]]] = []
        self.thread = threading.current_thread()
        self.loop = loop
        self._run, self._wait, self._may_run, self.may_pause = run, wait, may_run, may_pause
        # Its own: in the loop's, calls that wait for Redis would keep those that ask the DNS from theirs.
        self._threads = ThreadPoolExecutor(_MOST_BLOCKED, "blocked")

    def run(self, coroutine: Coroutine[Any, Any, T], timeout: float | None) -> T:
        """Run a coroutine for a caller on this thread."""
        if timeout is not None:
            coroutine = asyncio.wait_for(coroutine, timeout)
        if not self.loop.is_running():
            return self.loop.run_until_complete(coroutine)
        result: T = self._run(coroutine)
        return result

    def call(self, function: Callable[[], T]) -> T:
        """Call a function in a thread for a caller on this one."""
        context = contextvars.copy_context()
        result: T = self._wait(self.loop.run_in_executor(self._threads, context.run, function))
        return result

    def may_run(self) -> bool:
        """Whether the caller may wait here."""
        return not self.loop.is_running() or self._may_run()

    def close(self) -> None:
        """Await what is to be done at the end."""
        for hook in reversed(self.at_end):
            with contextlib.suppress(TimeoutError):
                self.loop.run_until_complete(asyncio.wait_for(hook(), _CLEANUP_SECONDS))
        self._threads.shutdown(wait=False, cancel_futures=True)


_lock = threading.Lock()
_current: _LoopThread | MainLoop | None = None
_inherited: list[_LoopThread | MainLoop] = []


def run_async(coroutine: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
    """Run a coroutine on the process's event loop and wait for it.

    The coroutine sees the caller's context variables, so its log lines carry the task's id. If the wait ends before
    the coroutine does (soft time limit, timeout, Ctrl-C), the coroutine is cancelled and gets up to 5 s to clean up.
    A coroutine that blocks the loop's thread (`time.sleep`) holds up all others and cannot be cancelled.

    Args:
        coroutine: what to run.
        timeout: seconds; None waits until the task's time limit.

    Returns:
        What the coroutine returned.

    Raises:
        TimeoutError: it was not done in time.
        WrongThread: called on the loop itself, where waiting would wait for ever: write `await` there.
        Exception: whatever the coroutine raised.
    """
    here = _current
    if isinstance(here, MainLoop) and on_event_loop() and here.may_run():
        return here.run(coroutine, timeout)
    if on_event_loop():
        coroutine.close()
        raise WrongThread(f"run_async was called by a coroutine: await {coroutine!r} instead")
    loop = _event_loop().loop
    outcome: Future[T] = Future()
    tasks: list[asyncio.Task[T]] = []

    def start() -> None:
        tasks.append(loop.create_task(_contained(coroutine)))
        tasks[0].add_done_callback(lambda task: _hand_over(task, outcome))
        tasks[0].add_done_callback(lambda _: coroutine.close())  # if it was cancelled before it began

    def cancel() -> None:
        tasks[0].cancel()

    loop.call_soon_threadsafe(start)  # runs it, and so the coroutine, in a copy of this thread's context
    try:
        return outcome.result(timeout)
    except BaseException:
        if not outcome.done():  # so it was raised by the waiting, not by the coroutine
            loop.call_soon_threadsafe(cancel)
            if wait([outcome], _CLEANUP_SECONDS).not_done:
                log.error("a cancelled coroutine goes on", coroutine=repr(coroutine))  # noqa: TRY400
        raise


def pause(seconds: float) -> None:
    """Wait; where that would keep the event loop from everything else, it goes on meanwhile."""
    if isinstance(_current, MainLoop) and on_event_loop() and _current.may_pause():
        _current.run(asyncio.sleep(seconds), None)
    else:
        time.sleep(seconds)


def call_blocking(function: Callable[[], T]) -> T:
    """Call a function that blocks; where that would keep the event loop from everything else, in a thread.

    The waiting for it is not ended by a soft time limit, nor by `revoke`.

    Args:
        function: sees the caller's context variables.

    Returns:
        What it returned.

    Raises:
        Exception: what it raised.
    """
    if isinstance(_current, MainLoop) and on_event_loop() and _current.may_pause():
        return _current.call(function)
    return function()


def adopt(loop: MainLoop) -> None:
    """Have this loop be the process's."""
    global _current  # noqa: PLW0603
    _current = loop


def on_event_loop() -> bool:
    """Say whether the caller runs on the process's event loop."""
    return _current is not None and _current.thread is threading.current_thread()


def at_loop_end(hook: Callable[[], Awaitable[None]]) -> None:
    """Have `hook` awaited on the loop before it closes; the last one comes first.

    Raises:
        WrongThread: not called by a coroutine that `run_async` runs.
    """
    if _current is None or not on_event_loop():
        raise WrongThread("this belongs on the process's event loop: run the coroutine by run_async")
    _current.at_end.append(hook)


def close() -> None:
    """Close the event loop of this process, if it has one; the next `run_async` makes a new one."""
    global _current
    with _lock:
        closing, _current = _current, None
    if closing is not None and closing.thread.is_alive():
        closing.close()


def _event_loop() -> _LoopThread | MainLoop:
    global _current  # noqa: PLW0603
    with _lock:
        if _current is None or not _current.thread.is_alive():  # a coroutine's own task may raise SystemExit
            _current = _LoopThread()
        return _current


class _Exit(Exception):
    """Carries a SystemExit or KeyboardInterrupt past asyncio, which would end the loop for everybody."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


async def _contained(coroutine: Coroutine[Any, Any, T]) -> T:
    try:
        return await coroutine
    except (SystemExit, KeyboardInterrupt) as error:
        raise _Exit(error) from None


def _hand_over(task: asyncio.Task[T], outcome: Future[T]) -> None:
    if task.cancelled():
        outcome.set_exception(CancelledError())
    elif error := task.exception():
        outcome.set_exception(error.error if isinstance(error, _Exit) else error)
    else:
        outcome.set_result(task.result())


def _forget() -> None:
    """Leave the parent's loop alone in a forked child: its thread is not here, and a lock may be held for ever."""
    global _current, _lock
    if _current is not None:
        _inherited.append(_current)  # kept: closing it would take it out of the epoll set that the parent still uses
    _current, _lock = None, threading.Lock()


os.register_at_fork(after_in_child=_forget)
atexit.register(close)
# A pool process ends without `atexit`.
signals.worker_process_shutdown.connect(lambda **_: close(), weak=False, dispatch_uid="workerkit.event_loop")
