"""Which task runs, for all log lines, and for the messages that the task sends."""

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Final

_NONE: Final[Mapping[str, Any]] = {}
_running: ContextVar[Mapping[str, Any]] = ContextVar("running", default=_NONE)


def enter(task: Mapping[str, Any]) -> None:
    """From now on this task runs here.

    Args:
        task: what each of its log lines has; one variable for all of it, since each of structlog's costs a microsecond.
    """
    _running.set(task)


def leave() -> None:
    """No task runs here any more."""
    _running.set(_NONE)


def correlation_id() -> str | None:
    """The running task's, or None outside of tasks."""
    return _running.get().get("correlation_id")


def add_task(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """Add the task to a log line, as a processor of structlog; what the line says itself stays."""
    return {**_running.get(), **event}
