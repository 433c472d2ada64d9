"""The command `tasks can-deploy`: would a new version of a service understand what waits for it?"""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from taskclient import cli_complete
from taskclient.cli_dead_output import printable
from taskclient.cli_errors import FAILED, clear_errors
from taskclient.cli_input import open_client
from taskclient.cli_options import DEFAULT_BROKER, AsJson, Broker
from taskclient.cli_output import print_json
from taskclient.contract_file import read_contracts
from taskclient.deployment import REFUSED, UNKNOWN, UNREADABLE, Deployment, Misunderstood
from taskclient.pending import PLACES

_WORDS = {
    UNKNOWN: "the new version has no such task",
    REFUSED: "its payload does not fit",
    UNREADABLE: "it cannot be read",
}


def can_deploy(
    service: Annotated[
        str,
        typer.Argument(metavar="SERVICE", help="Whose messages, as in email.", autocompletion=cli_complete.services),
    ],
    *,
    contract: Annotated[
        Path, typer.Option(metavar="FILE", help="The new version's contract.json, or a folder with it.")
    ] = Path("services"),
    most: Annotated[int, typer.Option(metavar="N", min=1, help="Name so many messages.")] = 100,
    as_json: AsJson = False,
    broker: Broker = DEFAULT_BROKER,
) -> None:
    """Look at each message of a service; exit 0 if the new version understands all of them, else 1."""
    with clear_errors(), open_client(broker, None) as client:
        found = client.can_deploy(service, read_contracts([contract]), most=most)
    if as_json:
        _print_for_programs(service, found)
    else:
        _print_for_people(service, found)
    if not found.safe:
        raise typer.Exit(FAILED)


def _print_for_programs(service: str, found: Deployment) -> None:
    checked = {place: found.checked[place] for place in PLACES}
    messages = [asdict(message) for message in found.found]
    print_json({"service": service, "safe": found.safe, "checked": checked, "total": found.total, "messages": messages})


def _print_for_people(service: str, found: Deployment) -> None:
    for message in found.found:
        _print_message(message)
    hidden = found.total.total() - len(found.found)
    if hidden:
        typer.echo(f"... and {hidden:,} more; --most shows them")
    places = ", ".join(f"{found.checked[place]:,} {place}" for place in PLACES)
    verdict = "all of them" if found.safe else f"all but {found.total.total():,} of them"
    typer.echo(f"{found.checked.total():,} messages of {printable(service)} ({places}): it understands {verdict}.")


def _print_message(message: Misunderstood) -> None:
    doubt = "" if message.fits_now else "; today's contract does not take it either"
    typer.echo(
        f"{printable(message.id)} {printable(message.task)} ({message.place}, {printable(message.queue)}): "
        f"{_WORDS[message.reason]}{doubt}"
    )
    for wrong in message.errors:
        typer.echo(f"  {printable(wrong['field'])}: {printable(wrong['problem'])}")
