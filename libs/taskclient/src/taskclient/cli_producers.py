"""The command `tasks producers`: a module with a typed function for each task, in another language."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from taskclient.cli_errors import clear_errors
from taskclient.cli_options import DEFAULT_BROKER, AsJson, Broker
from taskclient.cli_output import print_json
from taskclient.cli_stubs import known_entries
from taskclient.producers_typescript import typescript


def print_producers(
    *,
    language: Annotated[Literal["typescript"], typer.Option(help="The module's language.")] = "typescript",
    contract: Annotated[
        list[Path] | None,
        typer.Option(metavar="PATH", help="A contract.json, or a folder with some, instead of the catalog."),
    ] = None,
    as_json: AsJson = False,
    broker: Broker = DEFAULT_BROKER,
) -> None:
    """Print the module."""
    writers = {"typescript": typescript}
    with clear_errors():
        text = writers[language](known_entries(contract, broker))
    if as_json:
        print_json({"module": text})
    else:
        typer.echo(text, nl=False)
