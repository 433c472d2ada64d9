"""Celery's pool of processes, with fewer turns of the event loop for each task; the default `worker_pool`.

Celery writes a task into a process's pipe in the turn of the loop after the one in which the task came, and asks in
each turn which pipes can be written to. Here a task goes at once to a process that has none. What cannot be written at
once, and whatever else happens, is Celery's.
"""

from typing import Any

from celery.concurrency import asynpool, prefork

_AsynPool: Any = asynpool.AsynPool  # the stubs leave out the parts that are not public


class Processes(_AsynPool):  # type: ignore[misc]
    """Celery's pool in the worker's main process."""

    _quick_put: Any
    on_poll_start: Any

    def _create_write_handlers(self, hub: Any, *args: Any, **options: Any) -> None:
        super()._create_write_handlers(hub, *args, **options)
        put, write, look = self._quick_put, hub.consolidate_callback, self.on_poll_start
        outbound, busy, writing = self.outbound_buffer, self._busy_workers, self._active_writes
        watched = True

        def put_now(job: Any) -> None:
            put(job)
            for pipe in self._all_inqueues:
                if pipe not in busy and pipe not in writing:
                    write([pipe])
                    break

        def on_poll_start() -> None:
            nonlocal watched
            if outbound or watched:
                watched = bool(outbound)
                look()

        self._quick_put, self.on_poll_start = put_now, on_poll_start


class TaskPool(prefork.TaskPool):
    """Celery's pool as the worker sees it."""

    Pool = Processes
