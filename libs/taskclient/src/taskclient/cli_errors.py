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

CODES = {
    0: "ok",
    FAILED: "the task failed",
    USAGE: "wrong usage, payload or name",
    UNREACHABLE: "Redis unreachable",
    TIMED_OUT: "timed out",
}
EXIT_CODES = f"Exit codes: {', '.join(f'{code} {meaning}' for code, meaning in CODES.items())}."


def refuse_options_before(context: typer.Context) -> None:
    """Refuse options between a group's name and its command's: the command would not see them, as another broker.

    Raises:
        ValueError: there are some.
    """
    sources = {name: context.get_parameter_source(name) for name in context.params}
    if any(source is not None and source.name == "COMMANDLINE" for source in sources.values()):
        command = f"{context.command_path} {context.invoked_subcommand}"
        raise ValueError(f"write the options after the whole command, as in: {command} ... --json")


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
