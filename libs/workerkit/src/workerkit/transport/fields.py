"""What the fields of a Celery message must be; each check accepts what Celery's own producers write."""

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from celery.app.task import Context
from celery.utils.time import maybe_iso8601

_TEXT_LENGTH = 4096
_ID_LENGTH = 255
_MOST_RETRIES = 1_000_000
_MOST_SECONDS = 1e9
_YEARS = range(1971, 9999)  # beyond them, a time zone's offset may leave what Python can hold
_LIMITS = ("hard", "soft")
Checks = dict[str, Callable[[Any], bool]]


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _TEXT_LENGTH and value.isprintable()


def _id(value: Any) -> bool:
    return _is_text(value) and len(value) <= _ID_LENGTH


def text_or_none(value: Any) -> bool:
    """Text that can be written in UTF-8, or nothing."""
    return value is None or (isinstance(value, str) and not _has_surrogates(value))


def _has_surrogates(value: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in value) if not value.isascii() else False


def _id_or_none(value: Any) -> bool:
    return value is None or value == "" or _id(value)


def _count(value: Any) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST_RETRIES)


def _index(value: Any) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53)


def _seconds(value: Any) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return value is None or (number and math.isfinite(value) and 0 <= value < _MOST_SECONDS)


def _limits(value: Any) -> bool:
    return value is None or (isinstance(value, list) and len(value) == len(_LIMITS) and all(map(_seconds, value)))


def _flag(value: Any) -> bool:
    return value is None or isinstance(value, bool)


def _time(value: Any) -> bool:
    if value is None:
        return True
    try:
        timestamp(value)
    except (ValueError, TypeError, OverflowError, AttributeError, OSError):
        return False
    return isinstance(value, str)


def timestamp(value: Any) -> float:
    """Seconds since 1970 of an ISO 8601 time; without a zone it is UTC.

    Raises:
        Exception: it is none; Celery's own parser raises many kinds.
    """
    moment = maybe_iso8601(value)
    if not isinstance(moment, datetime) or moment.year not in _YEARS:
        raise ValueError(value)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _names(value: Any) -> bool:
    return value is None or (isinstance(value, list) and all(map(_is_text, value)))


def _stamps(value: Any) -> bool:
    return value is None or isinstance(value, dict)


def _signature(value: Any) -> bool:
    """A task to be sent afterwards, as Celery writes it into callbacks, chains and chords."""
    return (
        isinstance(value, dict)
        and _is_text(value.get("task"))
        and isinstance(value.get("args", []), list)
        and isinstance(value.get("kwargs", {}), dict)
        and isinstance(value.get("options"), dict)  # Celery reads them without asking
        and (value.get("subtask_type") is None or isinstance(value["subtask_type"], str))
        and _flag(value.get("immutable"))
    )


def _signatures(value: Any) -> bool:
    return value is None or (isinstance(value, list) and all(map(_signature, value)))


def _signature_or_none(value: Any) -> bool:
    return value is None or _signature(value)


def _arguments(value: Any) -> bool:
    return value is None or isinstance(value, list)


def _keywords(value: Any) -> bool:
    return value is None or isinstance(value, dict)


PROPERTIES: Checks = {
    "correlation_id": _id_or_none,
    "reply_to": text_or_none,
    "priority": _index,
}
_HEADERS: Checks = {
    "task": _id,
    "id": _id,
    "root_id": _id_or_none,
    "parent_id": _id_or_none,
    "group": _id_or_none,
    "group_index": _index,
    "retries": _count,
    "eta": _time,
    "expires": _time,
    "timelimit": _limits,
    "argsrepr": text_or_none,
    "kwargsrepr": text_or_none,
    "shadow": text_or_none,
    "origin": text_or_none,
    "lang": text_or_none,
    "stamped_headers": _names,
    "stamps": _stamps,
    "ignore_result": _flag,
    "replaced_task_nesting": _count,
    "time_limit": _seconds,
    "soft_time_limit": _seconds,
    "headers": _keywords,
}
EMBED: Checks = {
    "callbacks": _signatures,
    "errbacks": _signatures,
    "chain": _signatures,
    "chord": _signature_or_none,
}
_PROTOCOL_1: Checks = {
    "args": _arguments,
    "kwargs": _keywords,
    "taskset": _id_or_none,
    "utc": _flag,
}
HEADERS_2 = _HEADERS | EMBED
HEADERS_1 = HEADERS_2 | _PROTOCOL_1
NEVER_NONE = {name for name, fits in (HEADERS_1 | PROPERTIES).items() if not fits(None)}
# Set by the worker for each run, so no message may bring them.
_COMPUTED = {"loglevel", "logfile", "is_eager", "called_directly", "_protected", "_children"}
OWN_NAMES = _COMPUTED | {name for name in dir(Context) if callable(getattr(Context, name))}
