"""What the `tasks` command prints: JSON for machines, a table of the catalog for people."""

import json
from typing import Any

import typer
from rich.console import Console
from rich.table import Column, Table

from taskclient.catalog import CatalogEntry
from taskclient.errors import TaskFailed, TaskRejected, TaskTimeout
from taskclient.follow import Snapshot
from taskclient.handle import TaskHandle
from taskclient.outcome import reason_of
from taskclient.workflow import WorkflowRun


def print_json(value: Any) -> None:
    """One line of JSON on stdout."""
    typer.echo(json.dumps(value, ensure_ascii=False))


def print_id(task: TaskHandle, *, as_json: bool) -> None:
    """What was sent: the id alone, so that a shell can catch it."""
    if as_json:
        print_json({"id": task.id, "name": task.name})
    else:
        typer.echo(task.id)


def print_outcome(task: TaskHandle, timeout: float, *, as_json: bool) -> None:
    """How a task ended: its value as JSON; with `as_json` also its id and status, and its failure.

    Args:
        task: the task.
        timeout: seconds to wait for its end.
        as_json: whether a program reads this.

    Raises:
        TaskFailed: the task failed, was rejected or revoked; printed before if `as_json`.
        TaskTimeout: the task has not finished; its status is printed before if `as_json`.
    """
    try:
        value = task.result(timeout)
    except (TaskFailed, TaskTimeout) as error:
        if as_json:
            print_json({"id": task.id, "status": task.status(), **_failure(error)})
        raise
    print_json({"id": task.id, "status": "SUCCESS", "result": value} if as_json else value)


def print_run(run: WorkflowRun, end: Snapshot, *, as_json: bool) -> None:
    """How a workflow ended: each step's state and result as JSON, or its id.

    Raises:
        TaskFailed: a step failed; the message names it and says how to go on.
    """
    if as_json:
        records = {step.key: end.records[step.id] for step in run.steps}
        steps = {key: {"id": r.task_id, "status": r.status, "result": r.result} for key, r in records.items()}
        print_json({"id": run.run_id, "workflow": run.workflow, "steps": steps})
    else:
        typer.echo(run.run_id)
    failed = end.failed()
    if failed:
        keys = ", ".join(step.key for step in failed)
        reason = reason_of(end.records[failed[0].id])
        again = f"once mended, go on with: tasks run {run.workflow} resume={run.run_id}"
        raise TaskFailed(failed[0].id, f"{run.workflow} failed at {keys}", f"{reason}; {again}")


def _failure(error: TaskFailed | TaskTimeout) -> dict[str, Any]:
    match error:
        case TaskRejected():
            return {"error": {"type": error.error_type, "message": error.message, "fields": error.errors}}
        case TaskFailed():
            return {"error": {"type": error.error_type, "message": error.message}}
    return {}


def print_catalog(entries: list[CatalogEntry]) -> None:
    """A table with one row for each task."""
    table = Table(Column("Task", no_wrap=True), "Queue", "Service", "Parameters", "Description")
    for entry in entries:
        first_line = entry.description.strip().partition("\n")[0]
        table.add_row(entry.name, entry.queue, entry.service, parameters_of(entry.parameters), first_line)
    Console(markup=False).print(table)


def span(seconds: float) -> str:
    """A length of time in its largest unit, as in `42 s`, `5 min` or `3.5 h`."""
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f}".removesuffix(".0") + f" {unit}"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"  # noqa: PLR2004


def parameters_of(schema: dict[str, Any]) -> str:
    """The parameters' names and JSON types, as in `to: string, limit?: integer`; `?` marks what may be left out."""
    required = schema.get("required", [])
    return ", ".join(
        f"{name}{'' if name in required else '?'}{_type_of(field)}"
        for name, field in schema.get("properties", {}).items()
    )


def _type_of(field: Any) -> str:
    kind = field.get("type") if isinstance(field, dict) else None
    return f": {kind}" if isinstance(kind, str) else ""
