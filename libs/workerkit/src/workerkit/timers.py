"""Frees the memory of cancelled timers, which the event loop's timer would keep until their time has come."""

import heapq
from typing import Any

from kombu.asynchronous.timer import Timer

PAUSE_SECONDS = 10.0


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
