"""Handles for asyncio: on one task, and on a chain, group or chord."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Generic, Self

from taskclient.aio_results import AsyncResultStore
from taskclient.canvas import Canvas
from taskclient.handle import ResultT
from taskclient.outcome import value_of
from taskclient.results import TaskRecord
from taskclient.watch import TaskEvent, event_of
from taskclient.workflow import WorkflowRun


class AsyncTaskHandle(Generic[ResultT]):
    """One task, known by its id; arguments and errors of its methods are those of `taskclient.handle.TaskHandle`.

    Args:
        task_id: the task's id.
        results: where its result will be stored.
        name: the task's name, if known.
    """

    def __init__(self, task_id: str, results: AsyncResultStore, name: str | None = None) -> None:
        self.id = task_id
        self.name = name
        self._results = results

    def __repr__(self) -> str:
        return f"AsyncTaskHandle(id={self.id!r}, name={self.name!r})"

    async def status(self) -> str:
        """Celery's word for the state."""
        return (await self.record()).status

    async def record(self) -> TaskRecord:
        """What is stored about the task now."""
        return await self._results.get(self.id)

    async def updates(self, timeout: float | None) -> AsyncGenerator[str]:
        """The status now and then every change, until the task has finished or `timeout` seconds are over."""
        async with aclosing(self._results.updates(self.id, timeout)) as records:
            async for record in records:
                yield record.status

    async def watch(self, timeout: float | None) -> AsyncGenerator[TaskEvent]:
        """The state now, and then each change with its progress, until the task has finished or the time is over."""
        last = None
        async with aclosing(self._results.updates(self.id, timeout)) as records:
            async for record in records:
                if (event := event_of(record)) != last:
                    yield (last := event)

    async def wait(self, timeout: float | None) -> Self:
        """Wait until the task has finished, well or badly; `result()` then says which."""
        await self._results.wait(self.id, timeout)
        return self

    async def result(self, timeout: float | None = None) -> ResultT:
        """What the task returned, as JSON values.

        Args:
            timeout: seconds to wait for it; None, the default here, waits for ever, 0 only looks.
        """
        value: ResultT = value_of(await self._results.wait(self.id, timeout))
        return value


class AsyncWorkflowHandle:
    """All tasks of a chain, group or chord, as `taskclient.canvas_handle.WorkflowHandle` has them.

    Args:
        canvas: what was sent.
        results: where the results will be stored.
    """

    def __init__(self, canvas: Canvas, results: AsyncResultStore) -> None:
        self.run: WorkflowRun = canvas.run()
        self.steps = [AsyncTaskHandle[Any](one.id, results, one.step.task) for one in canvas.placed]
        ends = {one.id for one in canvas.ends}
        self.ends = [handle for handle in self.steps if handle.id in ends]
        self._listed = canvas.groups[-1]

    def __repr__(self) -> str:
        return f"AsyncWorkflowHandle({[step.key for step in self.run.steps]})"

    async def wait(self, timeout: float | None) -> Self:
        """Wait until all that comes last has finished, well or badly."""
        until = None if timeout is None else time.monotonic() + timeout
        for end in self.ends:
            await end.wait(until and max(until - time.monotonic(), 0))
        return self

    async def result(self, timeout: float | None = None) -> Any:
        """What the last step returned; a list in the order of the branches, if it ends with a group.

        Args:
            timeout: seconds to wait for all together; None, the default here, waits for ever, 0 only looks.
        """
        await self.wait(timeout)
        values = [await end.result(0) for end in self.ends]
        return values if self._listed else values[0]
