"""The commands `tasks workers`, `tasks forget` and `tasks adopt-unacked`, for those who run the services."""

from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from taskclient import cli_complete
from taskclient.cli_dead_input import confirm
from taskclient.cli_dead_output import printable
from taskclient.cli_errors import clear_errors
from taskclient.cli_input import open_client
from taskclient.cli_options import DEFAULT_BROKER, AsJson, Broker, Service, Yes
from taskclient.cli_output import print_json
from taskclient.unacked import Adopted
from taskclient.workers import Worker

Queues = Annotated[
    list[str] | None, typer.Option("--queue", metavar="NAME", help="Only of this queue; may be given again.")
]


def list_workers(*, service: Service = None, as_json: AsJson = False, broker: Broker = DEFAULT_BROKER) -> None:
    """Print which workers there are and what they hold."""
    with clear_errors(), open_client(broker, None) as client:
        found = client.workers(service)
    if as_json:
        print_json([asdict(worker) for worker in found])
    elif found:
        _print_workers(found)
    else:
        typer.echo("No worker is at work on this Redis.", err=True)


def forget(
    service: Annotated[
        str,
        typer.Argument(metavar="SERVICE", help="Whose tasks, as in email.", autocompletion=cli_complete.services),
    ],
    *,
    as_json: AsJson = False,
    broker: Broker = DEFAULT_BROKER,
) -> None:
    """Take a service that is gone for good out of the catalog."""
    with clear_errors(), open_client(broker, None) as client:
        names = client.forget(service)
    if as_json:
        print_json({"service": service, "tasks": names})
    elif names:
        typer.echo(f"Forgotten: {', '.join(names)}")
    else:
        typer.echo(f"The catalog has no task of {printable(service)}.", err=True)


def adopt_unacked(
    *,
    queues: Queues = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Move nothing, only count.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Even if plain workers seem to be running.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
    broker: Broker = DEFAULT_BROKER,
) -> None:
    """Put messages that plain Celery workers had taken back into their queues."""
    with clear_errors(), open_client(broker, None) as client:
        done = client.adopt_unacked(queues or (), dry_run=True)
        if not dry_run and done.moved:
            _refuse_beside(client.plain_consumers(), force=force)
            confirm(f"All plain workers are stopped: move {done.moved.total():,} messages back", yes=yes)
            done = client.adopt_unacked(queues or ())
    if as_json:
        print_json({"dry_run": dry_run, "moved": done.moved, "kept": done.kept})
    else:
        _print_adopted(done, "would move" if dry_run else "moved")


def _refuse_beside(addresses: list[str], *, force: bool) -> None:
    if addresses and not force:
        raise ValueError(
            f"{len(addresses)} clients wait for messages as plain Celery workers do ({', '.join(addresses)}). Stop "
            "these workers first: what they still run would run twice. If they are something else, say --force."
        )


def _print_workers(found: list[Worker]) -> None:
    table = Table("Service", Column("Host", no_wrap=True), "Process", Column("Holds", justify="right"), "State")
    for worker in found:
        state = "alive" if worker.lease_seconds > 0 else "dead; its messages are about to go back"
        table.add_row(printable(worker.service), printable(worker.host), str(worker.pid), f"{worker.held:,}", state)
    Console(markup=False, highlight=False).print(table)


def _print_adopted(done: Adopted, verb: str) -> None:
    for queue, number in done.moved.most_common():
        typer.echo(f"{printable(queue)}: {number:,} {verb}")
    for why, number in done.kept.most_common():
        typer.echo(f"{number:,} kept: {why}", err=True)
    if not done.moved and not done.kept:
        typer.echo("Plain Celery has left nothing in this Redis.", err=True)
