"""One message on the event loop: whose code is at work, and how it is stopped."""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import CancelledError
from contextvars import ContextVar
from typing import Any

import structlog
from billiard.exceptions import SoftTimeLimitExceeded
from celery.exceptions import Ignore

from workerkit.async_tasks import greenlets
from workerkit.async_tasks.greenlets import Watch
from workerkit.short_tasks.delivered import Delivered
from workerkit.short_tasks.estate import REVOKED, TIME_LIMIT
from workerkit.short_tasks.plan import Plan
from workerkit.short_tasks.table import Slot

log = structlog.get_logger("task")
_STUBBORN_SECONDS = 2.0  # a revoked coroutine has so long to clean up
_TELL_SECONDS = 0.5  # who keeps the loop for longer is told so


class SoftLimit(asyncio.CancelledError, SoftTimeLimitExceeded):
    """Raised at the innermost `await`: libraries clean up as when cancelled, the task sees its soft limit."""


class _Code:
    """In whose coroutine the process is at this moment."""

    inside: "Job | None" = None


code = _Code()
current: ContextVar["Job | None"] = ContextVar("job", default=None)


class Job(Watch):
    """A message from its claim to its end.

    Args:
        slot: tells the parent what runs.
        give_up: called when it has to end without its coroutine: (job, why, time limit or signal).
    """

    def __init__(self, slot: Slot, give_up: Callable[["Job", str, Any], None]) -> None:
        self.tag = 0  # 0: it has not begun, or is finished
        self.plan: Any = None
        self.message: Any = None
        self.abandoned = False  # its coroutine is never resumed
        self.revoked: tuple[Any] | None = None  # the signal that was asked for
        self.stopped = False  # its coroutine has ended by that
        self.asyncio_task: Any = None
        self._slot, self._give_up = slot, give_up
        self._timer: asyncio.TimerHandle | None = None
        self._hard = 0.0
        self._threads = 0
        self._waits = self._entered = self._told = self._cancelling = False

    def begin(self, plan: Plan, message: Delivered, soft: float, hard: float) -> None:
        """Its limits hold from now on; in seconds, 0 for none."""
        self.plan, self.message, self._hard = plan, message, hard
        self.tag = int(message.delivery_tag)
        self._slot.begin(self.tag, int(1000 * soft), int(1000 * hard))
        if soft:
            self._set_timer(soft, self._soft_is_over, soft)
        elif hard:
            self._set_timer(hard, self._hard_is_over)

    def leave(self) -> None:
        """The tracer is through: its limits do not hold any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def use_thread(self, change: int) -> None:
        """One thread more works for it, or one less: if the process dies, that may be why."""
        self._threads += change
        if self.tag:
            self._slot.use_threads(self.tag, self._threads)

    def finish(self) -> None:
        """What may still run of it, as a task that it has left behind, is not counted against it."""
        self.leave()
        self.tag = 0

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine of the task; called by the tracer, in the job's greenlet.

        Raises:
            SoftTimeLimitExceeded: it did not catch it.
            Ignore: it was revoked.
            concurrent.futures.CancelledError: something else has cancelled it, perhaps itself.
        """
        outer, self._waits = self._waits, True
        try:
            return greenlets.wait(coroutine)
        except SoftLimit as error:
            raise SoftTimeLimitExceeded(*error.args).with_traceback(error.__traceback__) from None
        except asyncio.CancelledError as error:
            if self.revoked:
                self.stopped = True
                raise Ignore("revoked") from None
            raise CancelledError("the task's coroutine was cancelled, and not by its worker") from error
        finally:
            self._waits = outer

    def interrupt(self, soft: float = 0.0) -> None:
        """Have its coroutine see that its soft limit is over; once."""
        if self._waits and not self._told and not self.abandoned:
            log.warning("a soft time limit is over", seconds=soft)
            self._told = self._cancelling = True
            self.asyncio_task.cancel()

    def interrupt_here(self) -> None:
        """The same for a coroutine that does not come to an `await`; called by a signal handler, in its code.

        Raises:
            SoftTimeLimitExceeded: unless it was told before.
        """
        if not self._told:
            self._told = True
            raise SoftTimeLimitExceeded

    def revoke(self, number: Any) -> None:
        """Cancel it; if it does not end soon, it is given up."""
        if self._waits and self.revoked is None and not self.abandoned:
            self.revoked = (number,)
            self.asyncio_task.cancel()
            self._set_timer(_STUBBORN_SECONDS, self._give_up, self, REVOKED, number)

    def abandon(self) -> None:
        """Never resume its coroutine. The greenlet stays, as its end would be a kind of resuming."""
        self.abandoned = True
        self.leave()
        self.asyncio_task.cancel()

    def _set_timer(self, seconds: float, call: Callable[..., None], *arguments: Any) -> None:
        self.leave()
        self._timer = asyncio.get_running_loop().call_later(seconds, call, *arguments)

    def _soft_is_over(self, soft: float) -> None:
        if self._hard:
            self._set_timer(max(0.0, self._hard - soft), self._hard_is_over)
        self.interrupt(soft)

    def _hard_is_over(self) -> None:
        self._give_up(self, TIME_LIMIT, self._hard)

    def resumed(self) -> None:
        """Its code is at work again."""
        if self._entered:
            code.inside = self
        if self.tag:
            self._slot.step(self.tag)

    def paused(self) -> None:
        """It waits, or has finished."""
        code.inside = None
        if self.tag:
            if self._slot.seconds > _TELL_SECONDS:
                log.warning("the task kept the event loop from all others", seconds=round(self._slot.seconds, 1))
            self._slot.pause()

    def entered(self) -> None:
        """It is in its coroutine."""
        self._entered = True
        code.inside = self

    def left(self) -> None:
        """It is out of it."""
        self._entered = False
        code.inside = None

    def thrown(self, error: BaseException) -> BaseException:
        """What its coroutine is told of a cancellation: the soft limit, if it is that."""
        if self.abandoned:
            raise error
        if self._cancelling and isinstance(error, asyncio.CancelledError):
            self._cancelling = False
            self.asyncio_task.uncancel()
            return SoftLimit()
        return error


class Attributed(Coroutine[Any, Any, Any]):
    """A coroutine of a task that a job has started beside its own, as by `gather`: its steps are the job's.

    Args:
        job: which one.
        coroutine: to be run.
    """

    def __init__(self, job: Job, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._job, self._coroutine = job, coroutine

    def send(self, value: Any) -> Any:
        """Run until the next `await`."""
        return self._step(self._coroutine.send, value)

    def throw(self, *error: Any) -> Any:
        """The same, beginning with an exception."""
        return self._step(self._coroutine.throw, *error)

    def close(self) -> None:
        """End it."""
        self._coroutine.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._coroutine.__await__()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._coroutine, name)  # for whoever shows it

    def _step(self, step: Callable[..., Any], *arguments: Any) -> Any:
        job = self._job
        if not job.tag:
            return step(*arguments)
        job.resumed()
        code.inside = job
        try:
            return step(*arguments)
        finally:
            job.paused()


def new_task(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> "asyncio.Task[Any]":
    """The loop's task factory."""
    job = current.get()
    if job is not None and job.tag:
        coroutine = Attributed(job, coroutine)
    return asyncio.Task(coroutine, loop=loop, **options)
