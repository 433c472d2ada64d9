"""The commands `tasks schedules`, `tasks schedules pause`, `resume` and `run`."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table

from taskclient import cli_complete, cli_help
from taskclient.cli_dead_output import printable
from taskclient.cli_errors import clear_errors, refuse_options_before
from taskclient.cli_input import open_client
from taskclient.cli_options import DEFAULT_BROKER, AsJson, Broker, Results, Service
from taskclient.cli_output import print_id, print_json, span
from taskclient.client import TaskClient
from taskclient.schedules import Schedule

app = typer.Typer(
    name="schedules",
    help=cli_help.SCHEDULES,
    epilog=cli_help.EPILOG,
    invoke_without_command=True,
    rich_markup_mode=None,
)
Name = Annotated[
    str,
    typer.Argument(metavar="NAME", help="As `tasks schedules` prints it.", autocompletion=cli_complete.schedules),
]


@app.callback()
def schedules(
    context: typer.Context, *, service: Service = None, as_json: AsJson = False, broker: Broker = DEFAULT_BROKER
) -> None:
    """Print what beat sends, and when."""
    if context.invoked_subcommand is not None:
        with clear_errors():
            refuse_options_before(context)
        return
    with clear_errors(), open_client(broker, None) as client:
        found = client.schedules(service)
    if as_json:
        print_json([_plain(one) for one in found])
    elif found:
        Console(markup=False, highlight=False).print(_table(found))
    else:
        typer.echo("No worker has published a schedule to this Redis yet.", err=True)


@app.command(help=cli_help.PAUSE_SCHEDULE, epilog=cli_help.EPILOG)
def pause(name: Name, *, as_json: AsJson = False, broker: Broker = DEFAULT_BROKER) -> None:
    """Have beat leave an entry out."""
    _change(broker, name, "paused", TaskClient.pause_schedule, as_json=as_json)


@app.command(help=cli_help.RESUME_SCHEDULE, epilog=cli_help.EPILOG)
def resume(name: Name, *, as_json: AsJson = False, broker: Broker = DEFAULT_BROKER) -> None:
    """Have beat send an entry again."""
    _change(broker, name, "resumed", TaskClient.resume_schedule, as_json=as_json)


@app.command(help=cli_help.RUN_SCHEDULE, epilog=cli_help.EPILOG)
def run(name: Name, *, as_json: AsJson = False, broker: Broker = DEFAULT_BROKER, results: Results = None) -> None:
    """Send an entry's task now."""
    with clear_errors(), open_client(broker, results) as client:
        print_id(client.run_schedule(name), as_json=as_json)


def _change(broker: str, name: str, verb: str, change: Callable[[TaskClient, str], bool], *, as_json: bool) -> None:
    with clear_errors(), open_client(broker, None) as client:
        changed = change(client, name)
    if as_json:
        print_json({"name": name, "paused": verb == "paused", "changed": changed})
    else:
        typer.echo(f"{printable(name)}: {verb if changed else f'was {verb} already'}")


def _table(found: list[Schedule]) -> Table:
    table = Table(Column("Name", no_wrap=True), "Task", "When", "Queue", "Last", "Next")
    now = datetime.now(UTC)
    for one in found:
        due = "paused" if one.paused else _from_now(one.next_run, now)
        words = (one.name, one.task, one.when, one.queue, _ago(one.last_run, now), due)
        table.add_row(*map(printable, words))
    return table


def _ago(moment: datetime | None, now: datetime) -> str:
    return "never" if moment is None else f"{span((now - moment).total_seconds())} ago"


def _from_now(moment: datetime | None, now: datetime) -> str:
    if moment is None:
        return "never"
    seconds = (moment - now).total_seconds()
    return f"in {span(seconds)}" if seconds > 0 else "now"


def _plain(one: Schedule) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(one).items()}
