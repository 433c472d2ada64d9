"""What `tasks dead` prints: tables for people, JSON for programs; texts in a payload only if asked."""

import base64
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import typer
from rich.console import Console
from rich.table import Column, Table

from taskclient.cli_output import print_json
from taskclient.dead_letters import DeadLetter, LetterPage
from taskclient.dead_message import DecodedMessage
from taskclient.dead_stats import ServiceStats
from taskclient.redaction import Redaction

_MOST_NAMES = 10  # of tasks under a table
_ERROR_LENGTH = 160  # characters of an error in a list
_PLAIN_HEADERS = (  # hold no text of the payload, as `argsrepr` and a caller's own headers may
    "task",
    "id",
    "retries",
    "eta",
    "expires",
    "timelimit",
    "root_id",
    "parent_id",
    "group",
    "group_index",
    "lang",
    "origin",
    "x-correlation-id",
)


def print_stats(stats: Sequence[ServiceStats]) -> None:
    """A table with one row for each service, and a few lines on those that have letters."""
    table = Table(
        Column("Service", no_wrap=True),
        *(Column(name, justify="right") for name in ("Letters", "Size", "Parked", "Delayed", "In flight")),
        "Oldest",
        "Newest",
    )
    for one in stats:
        numbers = (one.letters, one.bytes, sum(one.parked.values()), one.delayed, one.in_flight)
        table.add_row(
            printable(one.service), *(f"{number:,}" for number in numbers), when(one.oldest), when(one.newest)
        )
    Console(markup=False, highlight=False).print(table)
    for one in stats:
        for line in _details(one):
            typer.echo(f"{printable(one.service)}: {printable(line)}")


def print_letters(page: LetterPage) -> None:
    """Two lines for each letter, whose id is never cut; where to go on is said on stderr."""
    rows = [
        (
            letter.id,
            when(letter.last),
            letter.service,
            letter.reason,
            times(letter.attempts),
            letter.task or "(no task)",
        )
        for letter in page.letters
    ]
    widths = [max(len(printable(row[column])) for row in rows) for column in range(len(rows[0]))]
    for letter, row in zip(page.letters, rows, strict=True):
        line = "  ".join(f"{printable(word):<{width}}" for word, width in zip(row, widths, strict=True))
        typer.echo(line.rstrip())
        error = printable(letter.error)
        typer.echo(f"    {error if len(error) <= _ERROR_LENGTH else error[: _ERROR_LENGTH - 3] + '...'}")
    if page.next:
        typer.echo(f"There are more: add --after '{page.next}'", err=True)


def print_dead_letter(dead: DeadLetter, *, payload: bool) -> None:
    """All about one letter."""
    letter, message = dead.letter, dead.message
    facts = {
        "Id": letter.id,
        "Reason": letter.reason,
        "Error": letter.error,
        "Task": letter.task or "unknown",
        "Service": f"{letter.service} {letter.version}, worker {letter.worker or 'unknown'}",
        "List": letter.list or "unknown",
        "Died": f"{when(letter.last)}, first {when(letter.first)}, {times(letter.attempts)}",
        "Retries": f"{letter.retries} in the last attempt",
        "Size": f"{len(dead.raw):,} bytes",
        "Then": ", ".join(_followers(message)) or "nothing",
    }
    for name, value in facts.items():
        typer.echo(f"{name:<9}{printable(value)}")
    typer.echo("")
    if message.problem:
        typer.echo(printable(message.problem))
    if message.args is not None:
        shown = {"args": message.args, "kwargs": message.kwargs} if payload else redacted_payload(message)
        typer.echo("Payload" if payload else "Payload, texts replaced; --payload shows them")
        typer.echo(_visible(json.dumps(shown, ensure_ascii=False, indent=2)))
    elif payload:
        typer.echo(_visible(dead.raw.decode(errors="backslashreplace")))
    if letter.traceback:
        typer.echo("\n" + _visible(letter.traceback))


def as_json(dead: DeadLetter, *, payload: bool) -> dict[str, Any]:
    """The same for programs; with `payload` also the raw message, in base64."""
    message = dead.message
    shown: dict[str, Any] = {"letter": dead.letter.model_dump(), "bytes": len(dead.raw), "problem": message.problem}
    shown["then"] = _followers(message)
    if payload:
        parts = {"headers": message.headers, "args": message.args, "kwargs": message.kwargs, "embed": message.embed}
        return shown | parts | {"raw": base64.b64encode(dead.raw).decode()}
    headers = {name: message.headers[name] for name in _PLAIN_HEADERS if name in message.headers}
    return shown | {"headers": headers} | redacted_payload(message)


def redacted_payload(message: DecodedMessage) -> dict[str, Any]:
    """The payload with placeholders for its texts."""
    redact = Redaction()
    return {"args": redact(message.args, "args"), "kwargs": redact(message.kwargs, "kwargs")}


def print_parked(stats: Sequence[ServiceStats], *, json_wanted: bool) -> None:
    """The names of the tasks that no worker knows, with the number of their messages."""
    if json_wanted:
        print_json({one.service: one.parked for one in stats})
        return
    table = Table("Service", Column("Task", no_wrap=True), Column("Messages", justify="right"))
    for one in stats:
        for name, number in one.parked.items():
            table.add_row(printable(one.service), printable(name), f"{number:,}")
    Console(markup=False, highlight=False).print(table)


def when(seconds: float | None) -> str:
    """A time in UTC to the second; empty if there is none."""
    if seconds is None:
        return ""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return str(seconds)


def times(number: int) -> str:
    """As in `once` or `3 times`."""
    return "once" if number == 1 else f"{number:,} times"


def printable(text: str) -> str:
    """In one line, without what would steer the terminal: the text comes from a message."""
    return " ".join(_visible(text).split())


def _visible(text: str) -> str:
    return "".join(c if c.isprintable() or c in "\n\t" else ascii(c)[1:-1] for c in text)


def _followers(message: DecodedMessage) -> list[str]:
    """What the message's task belongs to, and the names of the tasks that follow it."""
    chain = message.embed.get("chain")
    names = [_name(step) for step in reversed(chain)] if isinstance(chain, list) else []
    chord = message.embed.get("chord")
    return [f"chain: {name}" for name in names] + ([f"chord: {_name(chord)}"] if chord else [])


def _name(signature: Any) -> str:
    return str(signature.get("task")) if isinstance(signature, dict) else "unknown"


def _details(stats: ServiceStats) -> list[str]:
    lines = [f"{title}: {_listed(counts)}" for title, counts in _groups(stats).items() if counts]
    if stats.limits:
        limits = stats.limits
        most = f"{limits.letters:,.0f} letters, {limits.bytes:,.0f} bytes, for {limits.seconds / 86_400:g} days"
        lines.append(f"keeps at most {most}; {stats.dropped:,} dropped so far")
    return lines


def _groups(stats: ServiceStats) -> dict[str, dict[str, int]]:
    tasks = {name or "(no task)": number for name, number in stats.tasks.items()}
    return {"by reason": stats.reasons, "by task": tasks, "parked": stats.parked}


def _listed(counts: dict[str, int]) -> str:
    shown = [f"{name} {number:,}" for name, number in list(counts.items())[:_MOST_NAMES]]
    more = len(counts) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
