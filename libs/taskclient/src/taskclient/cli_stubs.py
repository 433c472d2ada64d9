"""The command `tasks stubs`: a Python module with a typed function for each task."""

from pathlib import Path
from typing import Annotated

import typer

from taskclient.catalog import CatalogEntry
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
        text = stubs(known_entries(contract, broker))
        if as_json:
            print_json({"module": text})
        else:
            typer.echo(text, nl=False)


def known_entries(contract: list[Path] | None, broker: str) -> list[CatalogEntry]:
    """The contracts of the files, or of the catalog if there are none."""
    if contract:
        return read_contracts(contract)
    with open_client(broker, None) as client:
        return client.catalog()
