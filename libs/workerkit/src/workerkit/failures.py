"""Tells callers about messages that became dead letters without being run, and operators when there are too many."""

import json
from contextlib import suppress
from typing import Any

import structlog
from celery import Celery
from celery.app.task import Context

from workerkit.alerts import send_alert
from workerkit.transport import guard

log = structlog.get_logger("worker")
_NEARLY_FULL = 80  # percent


class NotRun(Exception):
    """The task's message was not run to its end; it is a dead letter and can be replayed."""


class LettersWatch:
    """Alerts before the store of dead letters is so full that the oldest ones go.

    Args:
        service: whose letters.
    """

    def __init__(self, service: str) -> None:
        self._service = service
        self._told = False

    def look(self, percent: int) -> None:
        """Alert once when the store gets nearly full, again after it has been emptied."""
        if percent >= _NEARLY_FULL and not self._told:
            message = f"{percent} % full; beyond it the oldest letters go: tasks dead stats, then replay or discard"
            log.error("the store of dead letters is nearly full", percent=percent)
            send_alert(f"Dead letters of {self._service} are nearly full", message, throttle_seconds=3600)
        self._told = percent >= _NEARLY_FULL


def report(app: "Celery[Any]", raw: bytes, problem: str) -> None:
    """Store a failure under the message's id, as far as it has one; a chord that waits for it fails too.

    Args:
        app: whose result backend.
        raw: the message.
        problem: what the caller reads.
    """
    try:
        request = _request(json.loads(raw))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return  # nobody can wait for a message without an id
    try:
        app.backend.mark_as_failure(str(request.id), NotRun(problem), request=request)
    except Exception:  # the letter is written; a result that cannot be stored must not end the worker
        log.exception("those who wait for a message are not all told of its failure", task_id=request.id)
        with suppress(Exception):  # its own caller at least, whatever is wrong with chain or chord
            app.backend.mark_as_failure(str(request.id), NotRun(problem), request=Context(id=request.id))


def _request(message: Any) -> Context:
    headers = dict(message["headers"])
    if not isinstance(headers["id"], str):
        raise TypeError("id")
    return Context(headers, **_embedded(message))


def _embedded(message: Any) -> dict[str, Any]:
    """What the body says of chord and callbacks; nothing if it cannot be read."""
    try:
        embed = guard.content(message)[2]
    except (guard.Unreadable, TypeError, KeyError, IndexError):
        return {}
    return embed if isinstance(embed, dict) else {}
