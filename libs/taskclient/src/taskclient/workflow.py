"""What is known about one run of a workflow: its steps, in which order they run, and which of them failed."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from taskclient.results import TaskRecord


class WorkflowStep(BaseModel):
    """One step of a run.

    Args:
        key: its name within the workflow, as in `load flights`.
        task: the name of its task.
        id: the id of its task.
        after: the keys of the steps it waits for.
    """

    model_config = ConfigDict(frozen=True)

    key: str
    task: str
    id: str
    after: tuple[str, ...] = ()


class WorkflowRun(BaseModel):
    """One run of a workflow; the task that starts a workflow returns it.

    Args:
        workflow: the workflow's name.
        run_id: the id of the task that started it; what it takes to resume it.
        parameters: what it was started with.
        steps: all steps, each after those it waits for.
    """

    model_config = ConfigDict(frozen=True)

    workflow: str
    run_id: str
    parameters: dict[str, Any]
    steps: tuple[WorkflowStep, ...]

    @classmethod
    def from_result(cls, result: Any) -> "WorkflowRun | None":
        """The run that a task's result describes, or None if it is the result of another kind of task."""
        try:
            return cls.model_validate(result)
        except ValidationError:
            return None

    @property
    def task_ids(self) -> list[str]:
        """The ids of the steps' tasks."""
        return [step.id for step in self.steps]

    def failed(self, records: Mapping[str, TaskRecord]) -> list[WorkflowStep]:
        """The steps that failed by themselves, not those that could not run because of them.

        Args:
            records: what is stored about the steps' tasks, by task id.
        """
        bad = {step.key for step in self.steps if records[step.id].failed}
        return [step for step in self.steps if step.key in bad and not bad.intersection(self._before(step))]

    def finished(self, records: Mapping[str, TaskRecord]) -> bool:
        """Say whether nothing runs any more: each step has finished, or waits for one that failed."""
        ended = {step.key for step in self.steps if records[step.id].finished}
        bad = {step.key for step in self.failed(records)}
        return all(step.key in ended or bad.intersection(self._before(step)) for step in self.steps)

    def _before(self, step: WorkflowStep) -> set[str]:
        """All steps that come before a step."""
        steps = {other.key: other for other in self.steps}
        before: set[str] = set()
        waiting = list(step.after)
        while waiting:
            key = waiting.pop()
            if key not in before:
                before.add(key)
                waiting.extend(steps[key].after)
        return before
