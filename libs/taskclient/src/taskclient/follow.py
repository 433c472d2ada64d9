"""Follows a task, and the steps of the workflow it started if it started one, until nothing runs any more."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from taskclient.client import TaskClient
from taskclient.errors import TaskTimeout
from taskclient.handle import TaskHandle
from taskclient.results import TaskRecord
from taskclient.workflow import WorkflowRun, WorkflowStep

LOOK_SECONDS = 0.2


@dataclass(frozen=True)
class Snapshot:
    """How far everything is at one moment.

    Args:
        steps: the task itself, or the steps of the workflow that it started.
        records: what is stored about them, by task id.
        run: the workflow's run, None for a task that is none or has not started it yet.
    """

    steps: tuple[WorkflowStep, ...]
    records: Mapping[str, TaskRecord]
    run: WorkflowRun | None = None

    @property
    def finished(self) -> bool:
        """Whether nothing runs any more."""
        if self.run is None:
            return all(self.records[step.id].finished for step in self.steps)
        return self.run.finished(self.records)

    def failed(self) -> list[WorkflowStep]:
        """The steps that failed by themselves."""
        if self.run is None:
            return [step for step in self.steps if self.records[step.id].failed]
        return self.run.failed(self.records)


def follow(client: TaskClient, task: TaskHandle, timeout: float | None = None) -> Iterator[Snapshot]:
    """How far a task is, several times a second, until it has finished; the last one is the final state.

    Args:
        client: a client of the task's broker.
        task: the task.
        timeout: seconds; None waits for ever.

    Raises:
        TaskTimeout: it had not finished in time; it goes on.
        BrokerUnavailable: Redis could not be asked.
    """
    ends = None if timeout is None else time.monotonic() + timeout
    alone = (WorkflowStep(key=task.name or task.id, task=task.name or "", id=task.id),)
    snapshot = Snapshot(alone, {task.id: task.record()})
    while True:
        yield snapshot
        run = snapshot.run or _started(snapshot, task)
        if snapshot.finished and snapshot.run is run:
            return
        if ends is not None and time.monotonic() >= ends:
            raise TaskTimeout(f"Task {task.id} has not finished within {timeout:g} s; it goes on, ask again by its id.")
        if snapshot.run is run:
            time.sleep(LOOK_SECONDS)
        snapshot = Snapshot(run.steps, client.records(run), run) if run else Snapshot(alone, {task.id: task.record()})


def _started(snapshot: Snapshot, task: TaskHandle) -> WorkflowRun | None:
    record = snapshot.records[task.id]
    return WorkflowRun.from_result(record.result) if record.status == "SUCCESS" else None
