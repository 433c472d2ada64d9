"""How the `tasks` command ends: one clear line on stderr, and an exit code that scripts can rely on."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from taskclient.errors import (
    BrokerUnavailable,
    PayloadRefused,
    TaskClientError,
    TaskFailed,
    TaskRejected,
    TaskTimeout,
)

FAILED, USAGE, UNREACHABLE, TIMED_OUT = 1, 2, 3, 4

EXIT_CODES = "Exit codes: 0 ok, 1 the task failed, 2 wrong usage, payload or name, 3 Redis unreachable, 4 timed out."


def exit_code(error: Exception) -> int:
    """The exit code that stands for an error."""
    match error:
        case TaskFailed():
            return FAILED
        case BrokerUnavailable():
            return UNREACHABLE
        case TaskTimeout():
            return TIMED_OUT
    return USAGE


@contextmanager
def clear_errors() -> Iterator[None]:
    """Print an error of this library, or a wrong value, as one line and exit with its code.

    A payload that was refused, here or by the worker, prints one more line for each wrong field.
    """
    try:
        yield
    except (TaskClientError, ValueError) as error:
        typer.echo(f"Error: {_one_line(error)}", err=True)
        for wrong in error.errors if isinstance(error, (TaskRejected, PayloadRefused)) else ():
            typer.echo(f"  {wrong['field']}: {wrong['problem']}", err=True)
        raise typer.Exit(exit_code(error)) from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
