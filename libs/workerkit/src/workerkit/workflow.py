"""Workflows over several services: steps by their tasks' names, put together from Celery's chains and chords.

Each step's task has an id that follows from the run and the step, so that whoever knows the run can ask for each of
them, and a run that failed can go on with what is missing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from celery import Celery, chain, group
from celery.canvas import Signature

from taskclient.outcome import reason_of
from taskclient.results import ResultStore
from taskclient.workflow import WorkflowRun, WorkflowStep
from workerkit.errors import PermanentError


@dataclass(frozen=True)
class Step:
    """One task of a workflow.

    Args:
        key: its name within the workflow.
        task: the task's name; no service needs to know the others' code.
        payload: its arguments by name.
        takes: the parameter that gets the result of the step before, which must be the task's first one.
    """

    key: str
    task: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    takes: str | None = None


@dataclass(frozen=True)
class Parallel:
    """Branches that run side by side, each a sequence of steps; the next stage waits for all of them."""

    branches: Sequence[Sequence[Step]]


@dataclass(frozen=True)
class Workflow:
    """A sequence of stages.

    Args:
        name: for people.
        stages: a step, or several branches of steps; a step after branches takes no result.
        on_failure: name of the task that is sent with `task_id` and `run_id` when a step fails for good.
    """

    name: str
    stages: Sequence[Step | Parallel]
    on_failure: str

    def run(self, run_id: str, parameters: Mapping[str, Any]) -> WorkflowRun:
        """What a run consists of; sends nothing.

        Args:
            run_id: the id of the task that starts it.
            parameters: what the workflow was made from, for a resumption.
        """
        steps: list[WorkflowStep] = []
        last: tuple[str, ...] = ()
        for stage in self.stages:
            ends: list[str] = []
            for branch in _branches(stage):
                after = last
                for step in branch:
                    steps.append(WorkflowStep(key=step.key, task=step.task, id=_id(run_id, step.key), after=after))
                    after = (step.key,)
                ends.extend(after)
            last = tuple(ends)
        return WorkflowRun(workflow=self.name, run_id=run_id, parameters=dict(parameters), steps=tuple(steps))

    def send(self, app: "Celery[Any]", run_id: str, done: Mapping[str, Any] | None = None) -> None:
        """Send what is not done yet; each step starts when those before it have succeeded.

        Args:
            app: any application on the same broker.
            run_id: as for `run`.
            done: the results of finished steps, by key; these steps are left out.
        """
        signatures = _Signatures(app, self, run_id, done or {}).stages()
        if signatures:
            chain(*signatures, app=app).apply_async()


def find_run(app: "Celery[Any]", run_id: str) -> WorkflowRun:
    """The run that a task has started.

    Raises:
        PermanentError: nothing is known about it.
    """
    run = WorkflowRun.from_result(_results(app).get(run_id).result)
    if run is None:
        raise PermanentError(f"there is no run {run_id} of a workflow; results are kept for a day, so start a new one")
    return run


def failures(app: "Celery[Any]", run: WorkflowRun) -> dict[str, str]:
    """Which steps of a run failed by themselves, and what each of them said."""
    records = _results(app).get_many(run.task_ids)
    return {step.key: reason_of(records[step.id]) for step in run.failed(records)}


def resume(app: "Celery[Any]", workflow: Workflow, run: WorkflowRun, run_id: str) -> WorkflowRun:
    """Send again what failed in a run and what comes after it, as a new run that has the results of all other steps.

    The steps that are sent get new ids, so what the old run may still write about them does no harm.

    Args:
        app: any application on the same broker.
        workflow: made from the parameters of `run`.
        run: the one that failed.
        run_id: of the new run.

    Returns:
        The new run.

    Raises:
        PermanentError: no step has failed, so there is nothing to resume.
    """
    records = _results(app).get_many(run.task_ids)
    if not run.failed(records):
        raise PermanentError(f"no step of {run.workflow} {run.run_id} has failed, so there is nothing to resume")
    done = {step.key: records[step.id] for step in run.steps if records[step.id].status == "SUCCESS"}
    workflow.send(app, run_id, {key: record.result for key, record in done.items()})
    new = workflow.run(run_id, run.parameters)
    steps = [step.model_copy(update={"id": done[step.key].task_id}) if step.key in done else step for step in new.steps]
    return new.model_copy(update={"steps": tuple(steps)})


@dataclass(frozen=True)
class _Signatures:
    """Celery's signatures of a run, without the steps that are done."""

    app: "Celery[Any]"
    workflow: Workflow
    run_id: str
    done: Mapping[str, Any]

    def stages(self) -> list[Signature]:
        made: list[Signature] = []
        before: Step | None = None
        for stage in self.workflow.stages:
            branches = [self._branch(branch, before) for branch in _branches(stage)]
            remaining = [self._in_sequence(branch) for branch in branches if branch]
            if remaining:
                made.append(group(remaining, app=self.app) if len(remaining) > 1 else remaining[0])
            before = stage if isinstance(stage, Step) else None
        return made

    def _in_sequence(self, signatures: list[Signature]) -> Signature:
        return chain(*signatures, app=self.app) if len(signatures) > 1 else signatures[0]

    def _branch(self, branch: Sequence[Step], before: Step | None) -> list[Signature]:
        signatures = []
        for step in branch:
            if step.key not in self.done:
                signatures.append(self._signature(step, before))
            before = step
        return signatures

    def _signature(self, step: Step, before: Step | None) -> Signature:
        payload, waits = dict(step.payload), False
        if step.takes:
            if before is None:
                raise ValueError(f"step {step.key!r} takes a result, but no single step comes before it")
            waits = before.key not in self.done
            payload |= {} if waits else {step.takes: self.done[before.key]}
        task_id = _id(self.run_id, step.key)
        signature = self.app.signature(step.task, kwargs=payload, task_id=task_id, immutable=not waits)
        signature.link_error(self.app.signature(self.workflow.on_failure, kwargs={"run_id": self.run_id}))
        return signature


def _branches(stage: Step | Parallel) -> Sequence[Sequence[Step]]:
    return [[stage]] if isinstance(stage, Step) else stage.branches


def _id(run_id: str, key: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"{run_id}/{key}"))


def _results(app: "Celery[Any]") -> ResultStore:
    return _store(str(app.conf.result_backend))


@lru_cache
def _store(url: str) -> ResultStore:
    return ResultStore(url)
