"""What a prefork pool's processes have taken and not yet confirmed, at the moment a connection is lost.

Celery forgets each task that no pool process has confirmed, because the broker will deliver it again; a process that
has got it already runs it all the same. The confirmations are on their way, so they are read first.
"""

import select
import time
from typing import Any

_SECONDS = 1.0


def await_confirmations(pool: Any) -> None:
    """Read what the pool's processes say until each task that was written to one is confirmed, a second at most.

    Args:
        pool: Celery's pool; one that is not made of processes has nothing to confirm.
    """
    processes: Any = getattr(pool, "_pool", None)
    pipes = getattr(processes, "_fileno_to_outq", None)
    if not pipes:
        return
    until = time.monotonic() + _SECONDS
    while _unconfirmed(processes) and time.monotonic() < until:
        poller = select.poll()
        for descriptor in list(pipes):
            poller.register(descriptor, select.POLLIN)
        for descriptor, _ in poller.poll(50):
            processes.handle_result_event(descriptor)


def _unconfirmed(processes: Any) -> bool:
    jobs = list(processes._cache.values())
    return any(job._write_to is not None and not job._accepted for job in jobs)
