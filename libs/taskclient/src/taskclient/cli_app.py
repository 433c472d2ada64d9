"""The `tasks` command with `send`, `run`, `status` and `list`; its other commands have modules of their own."""

from collections.abc import Callable
from typing import Annotated

import typer
from rich.console import Console

from taskclient import cli_complete, cli_help, cli_queues, cli_schedules, cli_tasks
from taskclient.cli_dead import app as dead
from taskclient.cli_deploy import can_deploy
from taskclient.cli_errors import clear_errors
from taskclient.cli_input import full_name, open_client, parse_payload, parse_time
from taskclient.cli_operate import adopt_unacked, forget, list_workers
from taskclient.cli_options import DEFAULT_BROKER, AsJson, Broker, Results
from taskclient.cli_output import print_catalog, print_id, print_json, print_outcome, print_run
from taskclient.cli_producers import print_producers
from taskclient.cli_run import show_run
from taskclient.cli_stubs import print_stubs
from taskclient.results import FINISHED

app = typer.Typer(
    name="tasks",
    help=cli_help.APP,
    epilog=cli_help.EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def send(
    name: Annotated[
        str, typer.Argument(help="The task's name, app.tasks.<module>.<task>.", autocompletion=cli_complete.tasks)
    ],
    fields: Annotated[list[str] | None, typer.Argument(metavar="KEY=VALUE", help="The payload.")] = None,
    *,
    json_payload: Annotated[str | None, typer.Option(metavar="JSON", help="The payload as a JSON object.")] = None,
    countdown: Annotated[float | None, typer.Option(metavar="S", help="Start in so many seconds.")] = None,
    eta: Annotated[str | None, typer.Option(metavar="ISO", help="Start then, as in 2030-01-01T12:00Z.")] = None,
    expires: Annotated[float | None, typer.Option(metavar="S", help="Do not start after so many seconds.")] = None,
    correlation_id: Annotated[str | None, typer.Option(metavar="X", help="Ties the task to a request.")] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(metavar="X", help="Of all calls of the task with this key, one runs.")
    ] = None,
    wait: Annotated[float | None, typer.Option(metavar="S", help="Wait so long for the result.")] = None,
    as_json: AsJson = False,
    broker: Broker = DEFAULT_BROKER,
    results: Results = None,
) -> None:
    """Send a task, and with `--wait` print how it ended."""
    with clear_errors(), open_client(broker, results) as client:
        task = client.send_payload(
            name,
            parse_payload(fields or [], json_payload),
            eta=parse_time(eta),
            countdown=countdown,
            expires=expires,
            correlation_id=correlation_id,
            idempotency_key=idempotency_key,
        )
        if wait is None:
            print_id(task, as_json=as_json)
        else:
            print_outcome(task, wait, as_json=as_json)


def run(
    name: cli_tasks.Name,
    fields: Annotated[list[str] | None, typer.Argument(metavar="KEY=VALUE", help="The payload.")] = None,
    *,
    json_payload: Annotated[str | None, typer.Option(metavar="JSON", help="The payload as a JSON object.")] = None,
    timeout: Annotated[float | None, typer.Option(metavar="S", help="Watch so long at most.")] = None,
    as_json: AsJson = False,
    broker: Broker = DEFAULT_BROKER,
    results: Results = None,
) -> None:
    """Send a task and show its progress, or that of all steps if it starts a workflow, until the end."""
    with clear_errors(), open_client(broker, results) as client:
        task = client.send_payload(full_name(client, name), parse_payload(fields or [], json_payload))
        end = show_run(client, task, Console(stderr=True), timeout)
        if end.run is None:
            print_outcome(task, 0, as_json=as_json)
        else:
            print_run(end.run, end, as_json=as_json)


def status(
    task_id: Annotated[str, typer.Argument(metavar="ID", help="The id that `tasks send` printed.")],
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Print every change until the task has finished.")] = False,
    timeout: Annotated[float | None, typer.Option(metavar="S", help="Watch so long at most.")] = None,
    as_json: AsJson = False,
    broker: Broker = DEFAULT_BROKER,
    results: Results = None,
) -> None:
    """Print a task's status, all changes with `--watch`, and the result of a finished task."""
    with clear_errors(), open_client(broker, results) as client:
        task = client.handle(task_id)
        for word in task.updates(timeout if watch else 0):
            if not as_json:
                typer.echo(word)
        if watch or word in FINISHED:
            print_outcome(task, 0, as_json=as_json)
        elif as_json:
            print_json({"id": task.id, "status": word})


def list_tasks(*, as_json: AsJson = False, broker: Broker = DEFAULT_BROKER) -> None:
    """Print the catalog."""
    with clear_errors(), open_client(broker, None) as client:
        entries = client.catalog()
    if as_json:
        print_json([entry.model_dump(mode="json") for entry in entries])
    elif entries:
        print_catalog(entries)
    else:
        typer.echo("The catalog is empty: no worker has published its tasks to this Redis yet.", err=True)


_COMMANDS: dict[str, tuple[Callable[..., None], str]] = {
    "list": (list_tasks, cli_help.LIST),
    "show": (cli_tasks.show, cli_help.SHOW),
    "send": (send, cli_help.SEND),
    "run": (run, cli_help.RUN),
    "status": (status, cli_help.STATUS),
    "watch": (cli_tasks.watch, cli_help.WATCH),
    "cancel": (cli_tasks.cancel, cli_help.CANCEL),
    "workers": (list_workers, cli_help.WORKERS),
    "can-deploy": (can_deploy, cli_help.CAN_DEPLOY),
    "stubs": (print_stubs, cli_help.STUBS),
    "producers": (print_producers, cli_help.PRODUCERS),
    "forget": (forget, cli_help.FORGET),
    "adopt-unacked": (adopt_unacked, cli_help.ADOPT),
}
for _name, (_function, _help) in _COMMANDS.items():
    app.command(_name, help=_help, epilog=cli_help.EPILOG)(_function)
for _group in (cli_queues.app, cli_schedules.app, dead):
    app.add_typer(_group)
