"""The event loop's threads for what blocks, as in `asyncio.to_thread`: each counts for the job that it works for."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from workerkit.async_tasks.job import Job, current


class JobThreads(ThreadPoolExecutor):
    """As the loop's own.

    Args:
        loop: on whose thread the jobs are told.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(thread_name_prefix="asyncio")
        self._tell = loop

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **options: Any) -> "Future[Any]":
        """Called by the loop, in the context of the job."""
        job = current.get()
        if job is not None:
            job.use_thread(1)  # before the thread can end the process
        future = super().submit(function, *arguments, **options)
        if job is not None:
            future.add_done_callback(lambda _: self._end(job))
        return future

    def _end(self, job: Job) -> None:
        if not self._tell.is_closed():
            self._tell.call_soon_threadsafe(job.use_thread, -1)
