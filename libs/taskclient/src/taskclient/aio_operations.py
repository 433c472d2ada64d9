"""What the client for asyncio can do beside sending: the calls of `taskclient.operations`, to be awaited."""

import asyncio
from collections.abc import AsyncGenerator, Callable

from taskclient.aio_dead_letters import AsyncDeadLetters
from taskclient.aio_handle import AsyncTaskHandle
from taskclient.aio_results import AsyncResultStore
from taskclient.aio_threads import InThreads, in_thread
from taskclient.client import TaskClient
from taskclient.watch import TaskEvent


class AsyncOperations(InThreads[TaskClient]):
    """The part of `AsyncTaskClient` for those who run the services; arguments and errors are those of `TaskClient`.

    These calls are rare, so each runs in a thread, on a `TaskClient` that is made for the first of them.
    """

    _results: AsyncResultStore
    _make_operator: Callable[[], TaskClient]
    _operator: TaskClient | None = None

    forget = in_thread(TaskClient.forget)
    can_deploy = in_thread(TaskClient.can_deploy)
    workers = in_thread(TaskClient.workers)
    queues = in_thread(TaskClient.queues)
    pause = in_thread(TaskClient.pause)
    resume = in_thread(TaskClient.resume)
    cancel = in_thread(TaskClient.cancel)
    schedules = in_thread(TaskClient.schedules)
    pause_schedule = in_thread(TaskClient.pause_schedule)
    resume_schedule = in_thread(TaskClient.resume_schedule)
    adopt_unacked = in_thread(TaskClient.adopt_unacked)
    plain_consumers = in_thread(TaskClient.plain_consumers)

    async def run_schedule(self, name: str) -> AsyncTaskHandle:
        """Send a schedule's task now, with the arguments, the queue and the expiry that beat sends it with."""
        sent = await asyncio.to_thread(self._blocking().run_schedule, name)
        return AsyncTaskHandle(sent.id, self._results, sent.name)

    def watch(self, task_id: str, timeout: float | None) -> AsyncGenerator[TaskEvent]:
        """Follow a task by its id, without a thread; see `AsyncTaskHandle.watch`."""
        return AsyncTaskHandle(task_id, self._results).watch(timeout)

    def dead_letters(self, service: str | None = None) -> AsyncDeadLetters:
        """The messages that workers could not run; nothing is asked yet."""
        return AsyncDeadLetters(self._blocking().dead_letters(service))

    def _blocking(self) -> TaskClient:
        if self._operator is None:
            self._operator = self._make_operator()
        return self._operator

    async def _close_operator(self) -> None:
        if self._operator is not None:
            await asyncio.to_thread(self._operator.close)
