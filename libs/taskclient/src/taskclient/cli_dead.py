"""The commands `tasks dead ...`: what a person does about messages that could not be run."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from taskclient import cli_complete, cli_dead_help
from taskclient.cli_dead_input import confirm, parse_filter
from taskclient.cli_dead_output import as_json as dead_as_json
from taskclient.cli_dead_output import print_dead_letter, print_letters, print_parked, print_stats, printable
from taskclient.cli_errors import clear_errors
from taskclient.cli_help import EPILOG
from taskclient.cli_input import open_client
from taskclient.cli_options import (
    DEFAULT_BROKER,
    All,
    AsJson,
    Broker,
    Error,
    Reason,
    Results,
    Service,
    Since,
    Task,
    Until,
    Yes,
)
from taskclient.cli_output import print_json
from taskclient.dead_letters import DeadLetters
from taskclient.letters import Letter

app = typer.Typer(name="dead", help=cli_dead_help.DEAD, no_args_is_help=True, rich_markup_mode=None, epilog=EPILOG)

Id = Annotated[str, typer.Argument(metavar="ID", help="The letter's id, as `tasks dead list` prints it.")]
Ids = Annotated[list[str] | None, typer.Argument(metavar="ID", help="The letters' ids; or use --all.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The task's name.", autocompletion=cli_complete.tasks)]
Payload = Annotated[bool, typer.Option("--payload", help="With the payload's real texts, which may be personal.")]


@app.command(help=cli_dead_help.STATS, epilog=EPILOG)
def stats(*, service: Service = None, as_json: AsJson = False, broker: Broker = DEFAULT_BROKER) -> None:
    """Print the statistics of each service."""
    with _letters(broker, service) as dead:
        counted = dead.get_dlq_stats()
        if as_json:
            print_json([one.model_dump() for one in counted])
        elif counted:
            print_stats(counted)
        else:
            typer.echo("No service has had a worker on this Redis yet.", err=True)


@app.command("list", help=cli_dead_help.LIST, epilog=EPILOG)
def list_letters(
    *,
    service: Service = None,
    task: Task = None,
    reason: Reason = None,
    since: Since = None,
    until: Until = None,
    error: Error = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 20,
    after: Annotated[str | None, typer.Option(metavar="X", help="Go on where the page before ended.")] = None,
    as_json: AsJson = False,
    broker: Broker = DEFAULT_BROKER,
) -> None:
    """Print one page of letters."""
    with _letters(broker, service) as dead:
        page = dead.list(parse_filter(task, reason, since, until, error), limit=limit, after=after)
    if as_json:
        found = [letter.model_dump(exclude={"traceback"}) for letter in page.letters]
        print_json({"letters": found, "next": page.next})
    elif page.letters:
        print_letters(page)
    else:
        typer.echo("No dead letter fits.", err=True)


@app.command(help=cli_dead_help.SHOW, epilog=EPILOG)
def show(
    letter_id: Id,
    *,
    payload: Payload = False,
    service: Service = None,
    as_json: AsJson = False,
    broker: Broker = DEFAULT_BROKER,
) -> None:
    """Print all about one letter."""
    with _letters(broker, service) as dead:
        letter = dead.show(letter_id)
    if as_json:
        print_json(dead_as_json(letter, payload=payload))
    else:
        print_dead_letter(letter, payload=payload)


@app.command(help=cli_dead_help.REPLAY, epilog=EPILOG)
def replay(
    ids: Ids = None,
    *,
    every: All = False,
    service: Service = None,
    task: Task = None,
    reason: Reason = None,
    since: Since = None,
    until: Until = None,
    error: Error = None,
    rate: Annotated[float | None, typer.Option(metavar="N", help="So many in a second at most.")] = None,
    to: Annotated[str | None, typer.Option(metavar="LIST", help="To this Redis list instead of its own.")] = None,
    yes: Yes = False,
    as_json: AsJson = False,
    broker: Broker = DEFAULT_BROKER,
    results: Results = None,
) -> None:
    """Put letters back into their queues."""
    with _letters(broker, service, results) as dead:
        wanted = parse_filter(task, reason, since, until, error)
        if _one_of(ids, every=every, filtered=any((task, reason, since, until, error))):
            confirm(f"Replay {dead.count(wanted):,} dead letters", yes=yes)
            done: Iterable[Letter] = dead.replay_all(wanted, per_second=rate, to=to)
        else:
            done = (dead.replay(letter_id, to=to) for letter_id in ids or ())
        _report("replayed", done, as_json=as_json)


@app.command(help=cli_dead_help.DISCARD, epilog=EPILOG)
def discard(
    ids: Ids = None,
    *,
    every: All = False,
    parked: Annotated[str | None, typer.Option(metavar="NAME", help="Parked messages of this task instead.")] = None,
    service: Service = None,
    task: Task = None,
    reason: Reason = None,
    since: Since = None,
    until: Until = None,
    error: Error = None,
    yes: Yes = False,
    as_json: AsJson = False,
    broker: Broker = DEFAULT_BROKER,
) -> None:
    """Remove letters, or parked messages, for good."""
    with _letters(broker, service) as dead:
        wanted = parse_filter(task, reason, since, until, error)
        filtered = any((task, reason, since, until, error))
        if parked is not None:
            if ids or every or filtered:
                raise ValueError("--parked means all parked messages of one task: leave the other choices out.")
            confirm(f"Discard all parked messages of {parked} for good", yes=yes)
            _report_number("discarded", dead.discard_parked(parked), as_json=as_json)
        elif _one_of(ids, every=every, filtered=filtered):
            confirm(f"Discard {dead.count(wanted):,} dead letters for good", yes=yes)
            _report("discarded", dead.discard_all(wanted), as_json=as_json)
        else:
            _report("discarded", (dead.discard(letter_id) for letter_id in ids or ()), as_json=as_json)


@app.command(help=cli_dead_help.PARKED, epilog=EPILOG)
def parked(*, service: Service = None, as_json: AsJson = False, broker: Broker = DEFAULT_BROKER) -> None:
    """Print the names of parked tasks."""
    with _letters(broker, service) as dead:
        print_parked(dead.get_dlq_stats(), json_wanted=as_json)


@app.command(help=cli_dead_help.OFFER, epilog=EPILOG)
def offer(
    name: Name,
    *,
    service: Service = None,
    as_json: AsJson = False,
    broker: Broker = DEFAULT_BROKER,
) -> None:
    """Put parked messages back into their queues."""
    with _letters(broker, service) as dead:
        _report_number("offered", dead.offer(name), as_json=as_json)


@app.command("test", help=cli_dead_help.TEST, epilog=EPILOG)
def write_test(
    letter_id: Id,
    *,
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="Write it there; default: stdout.")] = None,
    payload: Payload = False,
    service: Service = None,
    as_json: AsJson = False,
    broker: Broker = DEFAULT_BROKER,
) -> None:
    """Write a pytest file for one letter."""
    with _letters(broker, service) as dead:
        text = dead.write_test(letter_id, payload=payload)
        if output is not None:
            _write(output, text)
    if as_json:
        print_json({"file": None if output is None else str(output), "test": text})
    else:
        typer.echo(text if output is None else str(output), nl=output is not None)


@contextmanager
def _letters(broker: str, service: str | None, results: str | None = None) -> Iterator[DeadLetters]:
    with clear_errors(), open_client(broker, results) as client:
        yield client.dead_letters(service)


def _one_of(ids: list[str] | None, *, every: bool, filtered: bool) -> bool:
    """Whether all letters are meant; an id and a filter together, or neither, are a mistake that could cost much."""
    if bool(ids) == every:
        raise ValueError("Name the letters by their ids, or say --all; not both.")
    if ids and filtered:
        raise ValueError("Filters go with --all, not with ids.")
    return every


def _report(verb: str, letters: Iterable[Letter], *, as_json: bool) -> None:
    """Print each id when it is done, so that an error in between leaves no doubt about the ones before it."""
    ids: list[str] = []
    try:
        for letter in letters:
            ids.append(letter.id)
            if not as_json:
                typer.echo(printable(letter.id))
    finally:
        if as_json:
            print_json({verb: len(ids), "ids": ids})
        else:
            typer.echo(f"{len(ids):,} {verb}.", err=True)


def _report_number(verb: str, number: int, *, as_json: bool) -> None:
    if as_json:
        print_json({verb: number})
    else:
        typer.echo(f"{number:,} {verb}.", err=True)


def _write(file: Path, text: str) -> None:
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError as error:
        raise ValueError(f"{file} exists already: name another file.") from error
    except OSError as error:
        raise ValueError(f"{file} cannot be written: {error.strerror}.") from error
