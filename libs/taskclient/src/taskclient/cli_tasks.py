"""The commands `tasks show`, `tasks watch` and `tasks cancel`."""

import json
import shlex
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table

from taskclient import cli_complete
from taskclient.catalog import CatalogEntry
from taskclient.cli_dead_output import printable
from taskclient.cli_errors import clear_errors
from taskclient.cli_input import full_name, open_client
from taskclient.cli_options import DEFAULT_BROKER, AsJson, Broker, Results
from taskclient.cli_output import print_json, print_outcome, print_run
from taskclient.cli_run import show_run
from taskclient.contracts import near
from taskclient.errors import UnknownTask
from taskclient.example import example_of
from taskclient.watch import TaskEvent

Name = Annotated[
    str,
    typer.Argument(
        help="The task's name, or its last part if no other task has it.",
        autocompletion=cli_complete.tasks_by_last_part,
    ),
]
_WORDS = {
    "waiting": "cancelled; no worker had taken it",
    "running": "a worker has taken it, and is told to end it",
    "finished": "it has finished; nothing was changed",
}


def show(name: Name, *, as_json: AsJson = False, broker: Broker = DEFAULT_BROKER) -> None:
    """Print a task's contract and an example of a call."""
    with clear_errors():
        with open_client(broker, None) as client:
            known = {entry.name: entry for entry in client.catalog()}
            name = full_name(client, name)
        if name not in known:
            raise UnknownTask(f"No service has a task {name!r}; {near(name, known)}")
        entry = known[name]
        if as_json:
            print_json({**entry.model_dump(mode="json"), "example": example_of(entry.parameters)})
        else:
            _print_entry(entry)


def watch(
    task_id: Annotated[str, typer.Argument(metavar="ID", help="The id that `tasks send` printed.")],
    *,
    timeout: Annotated[float | None, typer.Option(metavar="S", help="Watch so long at most.")] = None,
    as_json: AsJson = False,
    broker: Broker = DEFAULT_BROKER,
    results: Results = None,
) -> None:
    """Show a task's progress until it has finished, and then its result."""
    with clear_errors(), open_client(broker, results) as client:
        task = client.handle(task_id)
        if as_json:
            for event in task.watch(timeout):
                print_json(_plain(event))
            task.result(0)
            return
        end = show_run(client, task, Console(stderr=True), timeout)
        if end.run is None:
            print_outcome(task, 0, as_json=False)
        else:
            print_run(end.run, end, as_json=False)


def cancel(
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="The ids that `tasks send` printed.")],
    *,
    as_json: AsJson = False,
    broker: Broker = DEFAULT_BROKER,
    results: Results = None,
) -> None:
    """Take tasks back."""
    with clear_errors(), open_client(broker, results) as client:
        for task_id in ids:
            found = client.cancel(task_id)
            if as_json:
                print_json({"id": task_id, "was": found})
            else:
                typer.echo(f"{printable(task_id)}: {_WORDS[found]}")


def _print_entry(entry: CatalogEntry) -> None:
    facts = {
        "Service": " ".join(filter(None, [entry.service, entry.version, entry.owner and f"of {entry.owner}"])),
        "Queue": entry.queue,
        "Limits": f"soft {_seconds(entry.limits.soft)}, hard {_seconds(entry.limits.hard)}",
        "Retries": f"{'any number' if entry.retry.max_retries is None else entry.retry.max_retries}, "
        f"{entry.retry.max_retries_of_a_bug} of a bug",
        "Waits": "as long as it takes" if entry.max_queue_wait is None else f"{entry.max_queue_wait:g} s at most",
        "Returns": json.dumps(entry.result, ensure_ascii=False),
    }
    typer.echo(f"{printable(entry.name)}\n\n{entry.description.strip()}\n")
    for title, text in facts.items():
        typer.echo(f"{title + ':':<9}{printable(text)}")
    if entry.parameters.get("properties"):
        typer.echo()
        Console(markup=False, highlight=False).print(_parameters(entry.parameters))
    typer.echo(f"\nExample:\n  {_command(entry)}")


def _parameters(schema: dict[str, Any]) -> Table:
    table = Table(Column("Parameter", no_wrap=True), "Required", "Schema")
    for name, field in schema["properties"].items():
        shown = {key: value for key, value in field.items() if key != "title"} if isinstance(field, dict) else field
        required = "yes" if name in schema.get("required", ()) else "no"
        table.add_row(printable(name), required, printable(json.dumps(shown, ensure_ascii=False)))
    return table


def _command(entry: CatalogEntry) -> str:
    """A call of the task for a shell: plain values as words, as `tasks send` reads them, else one JSON object."""
    example = example_of(entry.parameters)
    if any(isinstance(value, (dict, list)) for value in example.values()):
        words = ["--json-payload", json.dumps(example, ensure_ascii=False)]
    else:
        words = [f"{name}={_word(value)}" for name, value in example.items()]
    return shlex.join(["tasks", "send", entry.name, *words])


def _word(value: Any) -> str:
    if not isinstance(value, str):
        return json.dumps(value)
    try:
        json.loads(value)
    except ValueError:
        return value
    return json.dumps(value)  # else it would be read as JSON


def _seconds(limit: float | None) -> str:
    return "none" if limit is None else f"{limit:g} s"


def _plain(event: TaskEvent) -> dict[str, Any]:
    progress = event.progress and {**asdict(event.progress), "fraction": event.progress.fraction}
    return {**asdict(event), "progress": progress}
