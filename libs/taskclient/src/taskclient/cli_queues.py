"""The commands `tasks queues`, `tasks queues pause` and `tasks queues resume`."""

import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Column, Table

from taskclient import cli_complete, cli_help
from taskclient.cli_dead_output import printable
from taskclient.cli_errors import clear_errors, refuse_options_before
from taskclient.cli_input import open_client
from taskclient.cli_options import DEFAULT_BROKER, AsJson, Broker, Service
from taskclient.cli_output import print_json, span
from taskclient.queues import QueueState

_LOOK_SECONDS = 1.0

app = typer.Typer(
    name="queues", help=cli_help.QUEUES, epilog=cli_help.EPILOG, invoke_without_command=True, rich_markup_mode=None
)
Name = Annotated[
    str, typer.Argument(metavar="QUEUE", help="The queue's name, as in email.", autocompletion=cli_complete.queues)
]


@app.callback()
def queues(
    context: typer.Context,
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Show it each second, until Ctrl-C.")] = False,
    service: Service = None,
    as_json: AsJson = False,
    broker: Broker = DEFAULT_BROKER,
) -> None:
    """Print how full the queues are."""
    if context.invoked_subcommand is not None:
        with clear_errors():
            refuse_options_before(context)
        return
    with clear_errors(), open_client(broker, None) as client:
        if watch:
            _watch(lambda: client.queues(service), as_json=as_json)
        else:
            _print(client.queues(service), as_json=as_json)


@app.command(help=cli_help.PAUSE, epilog=cli_help.EPILOG)
def pause(queue: Name, *, as_json: AsJson = False, broker: Broker = DEFAULT_BROKER) -> None:
    """Have no worker take messages from a queue."""
    with clear_errors(), open_client(broker, None) as client:
        changed = client.pause(queue)
    _report(queue, "paused", changed=changed, as_json=as_json)


@app.command(help=cli_help.RESUME, epilog=cli_help.EPILOG)
def resume(queue: Name, *, as_json: AsJson = False, broker: Broker = DEFAULT_BROKER) -> None:
    """Have workers take messages from a queue again."""
    with clear_errors(), open_client(broker, None) as client:
        changed = client.resume(queue)
    _report(queue, "resumed", changed=changed, as_json=as_json)


def _watch(read: Callable[[], list[QueueState]], *, as_json: bool) -> None:
    try:
        if as_json:
            while True:
                _print(read(), as_json=True)
                time.sleep(_LOOK_SECONDS)
        with Live(console=Console(markup=False, highlight=False), auto_refresh=False) as live:
            while True:
                live.update(_table(read()), refresh=True)
                time.sleep(_LOOK_SECONDS)
    except KeyboardInterrupt:
        return


def _print(states: list[QueueState], *, as_json: bool) -> None:
    if as_json:
        print_json([asdict(state) for state in states])
    elif states:
        Console(markup=False, highlight=False).print(_table(states))
    else:
        typer.echo("The catalog is empty: no worker has published its tasks to this Redis yet.", err=True)


def _table(states: list[QueueState]) -> Table:
    numbers = ("Waiting", "Oldest", "In flight", "Delayed", "Parked")
    table = Table(
        Column("Queue", no_wrap=True), "Service", *(Column(name, justify="right") for name in numbers), "State"
    )
    for one in states:
        oldest = "" if one.oldest_seconds is None else span(one.oldest_seconds)
        counts = (one.in_flight, one.delayed, one.parked)
        table.add_row(
            printable(one.queue),
            printable(one.service),
            f"{one.depth:,}",
            oldest,
            *(f"{count:,}" for count in counts),
            "paused" if one.paused else "",
        )
    return table


def _report(queue: str, verb: str, *, changed: bool, as_json: bool) -> None:
    value: dict[str, Any] = {"queue": queue, "paused": verb == "paused", "changed": changed}
    if as_json:
        print_json(value)
    else:
        typer.echo(f"{printable(queue)}: {verb if changed else f'was {verb} already'}")
