"""What a caller puts together by names: steps one after the other, and groups of branches that run side by side."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias
from uuid import NAMESPACE_URL, uuid5

from taskclient.workflow import WorkflowRun, WorkflowStep


@dataclass(frozen=True, slots=True)
class Step:
    """One task; `step` and `immutable` make it.

    Args:
        task: its name.
        payload: its arguments by name, without the first parameter if that takes a result.
        takes_result: whether its first parameter takes the result of what comes before it, if anything does.
    """

    task: str
    payload: Mapping[str, Any]
    takes_result: bool = True


@dataclass(frozen=True, slots=True)
class Group:
    """Branches that run side by side; `group` makes it.

    Args:
        branches: each a sequence of steps, one after the other.
    """

    branches: tuple[tuple[Step, ...], ...]


Stage: TypeAlias = Step | Group


def step(task: str, /, **payload: Any) -> Step:
    """A task whose first parameter takes the result of the step before, if there is one: leave it out of the payload.

    After a group it takes the list of the branches' results.
    """
    return Step(task, payload)


def immutable(task: str, /, **payload: Any) -> Step:
    """A task that comes after the step before it, and takes nothing of it."""
    return Step(task, payload, takes_result=False)


def group(branches: Iterable[Step | Sequence[Step]]) -> Group:
    """Branches that run side by side; each is a step, or a list of steps one after the other.

    Raises:
        ValueError: there is no branch, or one without a step.
    """
    listed = tuple((branch,) if isinstance(branch, Step) else tuple(branch) for branch in branches)
    if not listed or not all(listed):
        raise ValueError("A group needs a branch, and each branch a step.")
    return Group(listed)


def task_names(stages: Iterable[Stage]) -> list[str]:
    """The names of all tasks in stages, each once."""
    steps = [
        [stage] if isinstance(stage, Step) else [one for branch in stage.branches for one in branch] for stage in stages
    ]
    return list(dict.fromkeys(one.task for some in steps for one in some))


@dataclass(frozen=True, slots=True)
class Placed:
    """A step at its place in a run.

    Args:
        step: what it is.
        key: its place and its task's name, as in `2.1 app.tasks.mill.grind`.
        id: of its task.
        before: the steps whose result it comes after; several if it comes after a group.
        joins: whether it comes after a group, and takes the list of its results.
    """

    step: Step
    key: str
    id: str
    before: "tuple[Placed, ...]"
    joins: bool = False

    @property
    def receives(self) -> bool:
        """Whether its first parameter takes a result."""
        return bool(self.before) and self.step.takes_result


PlacedStage: TypeAlias = list[list[Placed]]


@dataclass(frozen=True, slots=True)
class Canvas:
    """All stages of a run, each step with its id.

    Args:
        run_id: what the ids follow from.
        stages: each a list of branches; one branch of one step for a stage that is a step.
        groups: for each stage whether it is a group.
    """

    run_id: str
    stages: list[PlacedStage]
    groups: list[bool]

    @property
    def placed(self) -> list[Placed]:
        """All steps in their order."""
        return [one for stage in self.stages for branch in stage for one in branch]

    @property
    def ends(self) -> list[Placed]:
        """The steps whose results are the result of the whole: several if it ends with a group."""
        return [branch[-1] for branch in self.stages[-1]]

    def run(self) -> WorkflowRun:
        """The run as `TaskClient.records` takes it."""
        steps = tuple(
            WorkflowStep(key=one.key, task=one.step.task, id=one.id, after=tuple(other.key for other in one.before))
            for one in self.placed
        )
        return WorkflowRun(workflow=steps[0].task, run_id=self.run_id, parameters={}, steps=steps)


def canvas(stages: Sequence[Stage], run_id: str) -> Canvas:
    """Give each step its place and its id; the same run id gives the same ids.

    Raises:
        ValueError: there is no stage, or a group follows a group.
    """
    if not stages:
        raise ValueError("A chain needs a step.")
    placed: list[PlacedStage] = []
    before: tuple[Placed, ...] = ()
    joins = False
    for number, stage in enumerate(stages, 1):
        if isinstance(stage, Group) and joins:
            raise ValueError(
                f"Stages {number - 1} and {number} are groups: put a step between them that joins the first."
            )
        placed.append(_stage(stage, str(number), run_id, before, joins=joins))
        joins = isinstance(stage, Group)
        before = tuple(branch[-1] for branch in placed[-1])
    return Canvas(run_id, placed, [isinstance(stage, Group) for stage in stages])


def _stage(stage: Stage, place: str, run_id: str, before: tuple[Placed, ...], *, joins: bool) -> PlacedStage:
    if isinstance(stage, Step):
        return [[_placed(stage, place, run_id, before, joins=joins)]]
    return [_branch(branch, f"{place}.{number}", run_id, before) for number, branch in enumerate(stage.branches, 1)]


def _branch(branch: Sequence[Step], place: str, run_id: str, before: tuple[Placed, ...]) -> list[Placed]:
    placed: list[Placed] = []
    for number, one in enumerate(branch, 1):
        own = place if len(branch) == 1 else f"{place}.{number}"
        placed.append(_placed(one, own, run_id, (placed[-1],) if placed else before, joins=False))
    return placed


def _placed(one: Step, place: str, run_id: str, before: tuple[Placed, ...], *, joins: bool) -> Placed:
    key = f"{place} {one.task}"
    return Placed(one, key, str(uuid5(NAMESPACE_URL, f"{run_id}/{key}")), before, joins)
