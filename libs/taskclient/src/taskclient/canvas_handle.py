"""A handle on a chain, group or chord that was sent."""

import time
from typing import Any, Self

from taskclient.canvas import Canvas
from taskclient.handle import TaskHandle
from taskclient.results import ResultStore
from taskclient.workflow import WorkflowRun


class WorkflowHandle:
    """All tasks of a chain, group or chord; `TaskClient.records(handle.run)` reads their states in one question.

    Args:
        canvas: what was sent.
        results: where the results will be stored.
    """

    def __init__(self, canvas: Canvas, results: ResultStore) -> None:
        self.run: WorkflowRun = canvas.run()
        self.steps = [TaskHandle[Any](one.id, results, one.step.task) for one in canvas.placed]
        ends = {one.id for one in canvas.ends}
        self.ends = [handle for handle in self.steps if handle.id in ends]
        self._listed = canvas.groups[-1]

    def __repr__(self) -> str:
        return f"WorkflowHandle({[step.key for step in self.run.steps]})"

    def wait(self, timeout: float | None) -> Self:
        """Wait until all that comes last has finished, well or badly.

        A step that failed ends those after it, too: they have its failure.

        Args:
            timeout: seconds for all together; None waits for ever.

        Raises:
            TaskTimeout: the wait ended first; the tasks go on.
            BrokerUnavailable: Redis could not be asked.
        """
        until = None if timeout is None else time.monotonic() + timeout
        for end in self.ends:
            end.wait(until and max(until - time.monotonic(), 0))
        return self

    def result(self, timeout: float | None = 0) -> Any:
        """What the last step returned; a list in the order of the branches, if it ends with a group.

        Args:
            timeout: seconds to wait for it; 0 only looks, None waits for ever.

        Raises:
            TaskFailed: a step failed, was rejected (TaskRejected) or revoked (TaskRevoked).
            TaskTimeout: there is no result yet.
            BrokerUnavailable: Redis could not be asked.
        """
        self.wait(timeout)
        values = [end.result() for end in self.ends]
        return values if self._listed else values[0]
