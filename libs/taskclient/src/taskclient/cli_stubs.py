"""The command `tasks stubs`: a Python module with a typed function for each task."""

from pathlib import Path
from typing import Annotated

import typer

from taskclient.catalog import CatalogEntry
from taskclient.cli_errors import clear_errors
from taskclient.cli_input import open_client
from taskclient.cli_options import DEFAULT_BROKER, Broker
from taskclient.contract_file import read_contracts
from taskclient.stubs import stubs


def print_stubs(
    *,
    contract: Annotated[
        list[Path] | None,
        typer.Option(metavar="PATH", help="A contract.json, or a folder with some, instead of the catalog."),
    ] = None,
    broker: Broker = DEFAULT_BROKER,
) -> None:
    """Print the module."""
    with clear_errors():
        typer.echo(stubs(known_entries(contract, broker)), nl=False)


def known_entries(contract: list[Path] | None, broker: str) -> list[CatalogEntry]:
    """The contracts of the files, or of the catalog if there are none."""
    if contract:
        return read_contracts(contract)
    with open_client(broker, None) as client:
        return client.catalog()
