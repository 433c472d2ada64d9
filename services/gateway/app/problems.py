"""Errors as answers: one JSON form (RFC 9457) for all of them, with every wrong field and what to do."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, Final

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from taskclient.errors import (
    BrokerFull,
    BrokerUnavailable,
    InvalidTaskName,
    LetterNotFound,
    NotReplayable,
    PayloadNotSerializable,
    PayloadRefused,
    PayloadTooLarge,
    QueueFull,
    TaskClientError,
    UnknownQueue,
    UnknownSchedule,
    UnknownTask,
)

FULL_SECONDS: Final = 5  # after which a caller may try again what a full queue has refused
AWAY_SECONDS: Final = 2  # the same, while Redis is away


class Json(JSONResponse):
    """JSON in ASCII only: a result may hold half a character, which has no UTF-8 form."""

    def render(self, content: Any) -> bytes:
        """The body."""
        return json.dumps(content, separators=(",", ":"), default=str).encode()


class Forbidden(Exception):
    """The key has no scope for what was asked; the message names the scope."""


class TooManyViewers(Exception):
    """As many event streams are open as the gateway allows."""


class Unsupported(Exception):
    """The broker cannot do it; the message says what can."""


class Unprocessable(Exception):
    """A parameter is wrong in a way that its type does not show."""


_STATUSES: Final = (  # the first kind that fits counts
    (PayloadRefused, 422),
    (PayloadNotSerializable, 422),
    (Unprocessable, 422),
    (PayloadTooLarge, 413),
    (UnknownTask, 404),
    (UnknownQueue, 404),
    (UnknownSchedule, 404),
    (InvalidTaskName, 404),
    (LetterNotFound, 404),
    (NotReplayable, 409),
    (QueueFull, 429),
    (BrokerUnavailable, 503),
    (TooManyViewers, 503),
    (Forbidden, 403),
    (Unsupported, 501),
)
_TOLD: Final = (TaskClientError, *(kind for kind, _ in _STATUSES))  # their words are for callers


_AWAY: Final = (  # where Redis is, is not for callers
    "Redis does not answer, or refused; the gateway's log says why. Try again in a moment. What was being sent may be "
    "in its queue or not: with the same Idempotency-Key it can be sent again."
)
log = structlog.get_logger("gateway")


def problem(
    status: int,
    detail: str,
    *,
    errors: Sequence[Mapping[str, Any]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Json:
    """An answer about an error.

    Args:
        status: of HTTP.
        detail: what happened and what to do.
        errors: all wrong fields, each with `field` and `problem`.
        headers: more headers.
    """
    content: dict[str, Any] = {"title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    if errors is not None:
        content["errors"] = list(errors)
    return Json(content, status, headers=headers, media_type="application/problem+json")


def answer_of(error: Exception) -> Json:
    """The answer to an error of `taskclient`, or of this package; to any other one only that it is the gateway's."""
    status = next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)
    detail = str(error) if isinstance(error, _TOLD) else "The gateway failed; its log says at what."
    detail = _AWAY if _is_away(error) else detail
    fields = {PayloadRefused: getattr(error, "errors", []), PayloadNotSerializable: [], Unprocessable: []}
    waits = {429: FULL_SECONDS, 503: AWAY_SECONDS}
    headers = {"Retry-After": str(waits[status])} if status in waits else None
    return problem(status, detail, errors=fields.get(type(error)), headers=headers)


def _is_away(error: Exception) -> bool:
    return isinstance(error, BrokerUnavailable) and not isinstance(error, QueueFull | BrokerFull)


@contextmanager
def told_as(kind: type[Exception]) -> Iterator[None]:
    """Raise a plain ValueError, by which `taskclient` refuses an argument or a broker, as another kind of error."""
    try:
        yield
    except TaskClientError:
        raise
    except ValueError as error:
        raise kind(str(error)) from error


def install(app: FastAPI) -> None:
    """Answer every error of an application in this form."""
    for kind in (TaskClientError, Forbidden, TooManyViewers, Unprocessable, Unsupported):
        app.add_exception_handler(kind, _known)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _unknown)


def _known(request: Request, error: Exception) -> Response:
    if _is_away(error):
        log.warning("Redis does not answer", path=request.url.path, error=str(error))
    return answer_of(error)


def _unknown(_request: Request, error: Exception) -> Response:
    return answer_of(error)


def _http(_request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise TypeError(error)
    return problem(error.status_code, str(error.detail), headers=error.headers)


def _invalid(_request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise TypeError(error)
    found = [{"field": _place(one["loc"]), "problem": str(one["msg"])} for one in error.errors()]
    return problem(422, "The request is wrong in " + ", ".join(one["field"] for one in found), errors=found)


def _place(location: Sequence[str | int]) -> str:
    """Without the part of the request that it is in, unless it is that part."""
    return ".".join(map(str, location[1:] if len(location) > 1 else location)) or "request"
