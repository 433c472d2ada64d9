"""The command `tasks stubs`: a Python module with a typed function for each task."""

from pathlib import Path
from typing import Annotated

import typer

from taskclient.cli_errors import clear_errors
from taskclient.cli_input import open_client
from taskclient.cli_options import DEFAULT_BROKER, AsJson, Broker
from taskclient.cli_output import print_json
from taskclient.contract_file import read_contracts
from taskclient.stubs import stubs


def print_stubs(
    *,
    contract: Annotated[
        list[Path] | None,
        typer.Option(metavar="PATH", help="A contract.json, or a folder with some, instead of the catalog."),
    ] = None,
    as_json: AsJson = False,
    broker: Broker = DEFAULT_BROKER,
) -> None:
    """Print the module."""
    with clear_errors():
        if contract:
            text = stubs(read_contracts(contract))
        else:
            with open_client(broker, None) as client:
                text = stubs(client.catalog())
        if as_json:
            print_json({"module": text})
        else:
            typer.echo(text, nl=False)
