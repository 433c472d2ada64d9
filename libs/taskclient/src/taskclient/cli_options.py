"""Options that commands of `tasks` share."""

from typing import Annotated

import typer

from taskclient import cli_complete
from taskclient.urls import LOCAL_BROKER

DEFAULT_BROKER = LOCAL_BROKER
Broker = Annotated[str, typer.Option(envvar="TASK_BROKER_URL", metavar="URL", help="The workers' broker.")]
Results = Annotated[
    str | None,
    typer.Option(envvar="TASK_RESULT_URL", metavar="URL", help="The workers' results; default: the next database."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one line of JSON, for programs.")]

Service = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Only of this service, as in email.", autocompletion=cli_complete.services),
]
Task = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="Only of this task; * stands for any part of it.", autocompletion=cli_complete.tasks
    ),
]
Reason = Annotated[str | None, typer.Option(metavar="WORDS", help="Only for this reason, as in 'delivery limit'.")]
Since = Annotated[
    str | None, typer.Option(metavar="TIME", help="Died then or later: 2030-01-01T12:00Z, or 2h for 2 hours ago.")
]
Until = Annotated[str | None, typer.Option(metavar="TIME", help="Died then or earlier, written the same way.")]
Error = Annotated[str | None, typer.Option(metavar="TEXT", help="Only with this text in the error.")]
All = Annotated[bool, typer.Option("--all", help="All letters that the other options leave.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
