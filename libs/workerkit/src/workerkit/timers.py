"""What a worker's timer repeats, and what is cancelled: it would keep that until its time has come."""

import heapq
from collections.abc import Callable
from typing import Any

from kombu.asynchronous.timer import Timer

PAUSE_SECONDS = 10.0


class Repeated:
    """Calls that a step of the consumer has repeated: such a step starts anew at each connection, on the same timer."""

    def __init__(self) -> None:
        self._entries: list[Any] = []

    def begin(self, timer: Any, *calls: tuple[float, Callable[..., Any]]) -> None:
        """Repeat these calls, and no longer those of the connection before.

        Args:
            timer: the worker's.
            calls: seconds from one to the next, and what to call.
        """
        for entry in self._entries:
            entry.cancel()
        self._entries = [timer.call_repeatedly(seconds, call) for seconds, call in calls]


def drop_cancelled(timer: Any) -> None:
    """Forget the timers that were cancelled.

    Celery's pool of processes sets a timer for the time limit of each task, and cancels it when the task has ended
    (`celery.concurrency.asynpool`). At 500 tasks a second and a limit of 270 s that would be 80 MiB of them.

    Args:
        timer: the worker's; nothing is done to one that is not the event loop's.
    """
    if isinstance(timer, Timer):
        queue = timer._queue
        queue[:] = [event for event in queue if not event[2].canceled]
        heapq.heapify(queue)
