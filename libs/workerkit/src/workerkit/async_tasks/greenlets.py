"""Runs synchronous code on an event loop's own thread, in greenlets, so that it can wait for what the loop does.

Celery's tracer is synchronous, and the task that it runs is a coroutine. So the tracer runs in a greenlet. Each future
that the coroutine awaits is handed from there to the asyncio task to which the greenlet belongs; when the future is
done, the asyncio task switches back.
"""

import types
from collections.abc import Callable, Generator
from typing import Any

from greenlet import GreenletExit, getcurrent, greenlet

_MOST_IDLE = 200
_DONE = object()


class Watch:
    """What wants to know of a greenlet's steps; this one wants nothing."""

    greenlet: "Greenlet"

    def resumed(self) -> None:
        """The greenlet is about to be at work."""

    def paused(self) -> None:
        """It waits, or has finished."""

    def entered(self) -> None:
        """It is about to be in a coroutine's code."""

    def left(self) -> None:
        """It is out of it."""

    def thrown(self, error: BaseException) -> BaseException:
        """What the greenlet is told of an error of its asyncio task; raises if it is to hear nothing."""
        return error


class Greenlet(greenlet):  # type: ignore[misc]  # it brings no types
    """Runs one function after another: making a greenlet costs more than all its switches."""

    back: greenlet
    watch: Watch
    in_coroutine = False
    result: Any = None
    error: BaseException | None = None

    def run(self, function: Callable[[], Any]) -> None:
        """Work; what is switched in after a function's end is the next function."""
        while True:
            try:
                self.result = function()
            except GreenletExit:
                return
            except BaseException as error:  # noqa: BLE001  - it is raised in the asyncio task
                self.error = error
            function = self.back.switch(_DONE)


_idle: list[Greenlet] = []
_unwatched = Watch()


@types.coroutine
def in_greenlet(function: Callable[[], Any], watch: Watch = _unwatched) -> Generator[Any, Any, Any]:
    """Await what a synchronous function returns; it runs in the context of the asyncio task that awaits it.

    Args:
        function: may call `wait`.
        watch: told of each step.

    Returns:
        What it returned.

    Raises:
        BaseException: what it raised, or what `watch` raised in its place.
    """
    worker = _idle.pop() if _idle else Greenlet()
    worker.watch = watch
    watch.greenlet = worker
    worker.gr_context = getcurrent().gr_context
    step = _switch(worker, worker.switch, function)
    while step is not _DONE:
        try:
            yield step
        except GeneratorExit:
            raise
        except BaseException as error:  # noqa: BLE001  - the greenlet gets it
            step = _switch(worker, worker.throw, watch.thrown(error))
        else:
            step = _switch(worker, worker.switch, None)
    return _outcome(worker)


def _switch(worker: Greenlet, switch: Callable[[Any], Any], value: Any) -> Any:
    worker.back = getcurrent()
    worker.watch.resumed()
    try:
        return switch(value)
    finally:
        worker.watch.paused()


def _outcome(worker: Greenlet) -> Any:
    result, error = worker.result, worker.error
    worker.result = worker.error = worker.gr_context = None
    worker.watch = _unwatched
    if len(_idle) < _MOST_IDLE:
        _idle.append(worker)
    if error is None:
        return result
    try:
        raise error
    finally:
        del error  # its traceback has this frame


def may_wait() -> bool:
    """Whether the caller runs in such a greenlet."""
    return isinstance(getcurrent(), Greenlet)


def in_coroutine() -> bool:
    """Whether the caller runs in such a greenlet, and there in a coroutine, so that it can await."""
    worker = getcurrent()
    return isinstance(worker, Greenlet) and worker.in_coroutine


def wait(awaitable: Any) -> Any:
    """Wait for a coroutine or a future, while the loop does other things; only in such a greenlet."""
    worker: Any = getcurrent()
    steps = awaitable if hasattr(awaitable, "send") else awaitable.__await__()
    # In a coroutine synchronous code may wait as well.
    watch, error = _unwatched if worker.in_coroutine else worker.watch, None
    while True:
        outer, worker.in_coroutine = worker.in_coroutine, True
        watch.entered()
        try:
            step = steps.send(None) if error is None else steps.throw(error)
        except StopIteration as stop:
            return stop.value
        finally:
            watch.left()
            worker.in_coroutine = outer
        error = None
        try:
            worker.back.switch(step)
        except BaseException as raised:  # noqa: BLE001  - the coroutine gets it
            error = raised
