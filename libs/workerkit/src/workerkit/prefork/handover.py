"""What the pool's processes have taken and not yet confirmed, at the moment a connection is lost.

Celery forgets each task that no pool process has confirmed, because the broker will deliver it again; a process that
has got it already runs it all the same. So what no process has read is taken back, what is half written is written to
its end, and the confirmations are read first.
"""

import select
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

_SECONDS = 1.0


def await_confirmations(pool: Any) -> None:
    """Read what the pool's processes say until each task that was written to one is confirmed, a second at most.

    Args:
        pool: Celery's pool; one that is not made of processes has nothing to confirm.
    """
    processes: Any = getattr(pool, "_pool", None)
    reports = getattr(processes, "_fileno_to_outq", None)
    if not reports:
        return
    take_back = getattr(processes, "take_back", lambda: None)
    take_back()
    until = time.monotonic() + _SECONDS
    while _unconfirmed(processes) and time.monotonic() < until:
        half_written = dict(_half_written(processes))
        poller = select.poll()
        for descriptor in list(reports):
            poller.register(descriptor, select.POLLIN)
        for descriptor in half_written:
            poller.register(descriptor, select.POLLOUT)
        for descriptor, _ in poller.poll(50):
            if descriptor in half_written:
                with suppress(StopIteration, OSError):
                    next(half_written[descriptor])
            else:
                processes.handle_result_event(descriptor)
        take_back()  # one that was just reading could not be asked


def _unconfirmed(processes: Any) -> bool:
    jobs = list(processes._cache.values())
    return any(job._write_to is not None and not job._accepted for job in jobs)


def _half_written(processes: Any) -> Iterator[tuple[int, Any]]:
    """The pipes into which a job is being written, and the generator that goes on with it."""
    for job in list(processes._cache.values()):
        writer = getattr(job, "_writer", lambda: None)()  # a weak reference
        if writer in processes._active_writers:
            yield job._write_to.inqW_fd, writer
