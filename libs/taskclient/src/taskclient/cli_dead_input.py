"""What a person types for `tasks dead`, turned into a filter, a time, a decision."""

import re
import sys
from datetime import UTC, datetime, timedelta

import typer

from taskclient.cli_errors import USAGE
from taskclient.cli_input import parse_time
from taskclient.dead_scan import LetterFilter

_AGO = re.compile(r"(\d+)([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_filter(
    task: str | None, reason: str | None, since: str | None, until: str | None, error: str | None
) -> LetterFilter:
    """The filter that the options make.

    Raises:
        ValueError: a time has another form, or no time zone.
    """
    wanted = LetterFilter(task, reason, parse_moment(since), parse_moment(until), error)
    if wanted.bounds[0] > wanted.bounds[1]:
        raise ValueError(f"--since {since} is later than --until {until}: no letter can fit.")
    return wanted


def parse_moment(text: str | None) -> datetime | None:
    """A time in ISO 8601, or how long ago it was, as in `90s`, `15m`, `2h` or `7d`.

    Raises:
        ValueError: the text has another form.
    """
    if text and (ago := _AGO.fullmatch(text)):
        try:
            return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        except OverflowError as error:
            raise ValueError(f"{text!r} ago is before the year 1.") from error
    try:
        return parse_time(text)
    except ValueError as error:
        raise ValueError(f"{error} A time ago is 90s, 15m, 2h or 7d.") from error


def confirm(question: str, *, yes: bool) -> None:
    """Ask before many letters are changed.

    Args:
        question: what is about to happen, without the question mark.
        yes: the answer has been given already.

    Raises:
        ValueError: nobody is there to be asked.
        typer.Exit: the answer was no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise ValueError(f"{question}: say --yes where nobody can be asked.")
    if not typer.confirm(f"{question}?", err=True):
        typer.echo("Nothing was changed.", err=True)
        raise typer.Exit(USAGE)
