"""Reads raw messages, and refuses what Celery could not survive; nothing that lies in a queue is trusted.

Celery and kombu expect what their own producers write. A message of another form makes them raise in places where a
worker ends, loops or drops the message. So each message is read here first, in full, and by a stricter rule.
The protocol: https://docs.celeryq.dev/en/stable/internals/protocol.html
"""

import base64
import binascii
import json
import math
import zlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from celery.app.task import Context
from celery.utils.time import maybe_iso8601
from kombu.utils.json import loads

_MOST_UNPACKED = 16 * 1024 * 1024  # bytes of a compressed body
_COMPRESSIONS = {"application/x-gzip", "gzip", "zlib"}
_TEXT_LENGTH = 4096
_ID_LENGTH = 255
_DEEPEST = 100  # levels of lists and objects
_SHOWN = 100  # characters of a wrong value in an error
_MOST_RETRIES = 1_000_000
_MOST_SECONDS = 1e9
_YEARS = range(1971, 9999)  # beyond them, a time zone's offset may leave what Python can hold
_BODY = ("args", "kwargs", "embed")
_LIMITS = ("hard", "soft")


class Unreadable(ValueError):
    """The message is no valid message of Celery's protocol; says what is wrong with it."""


def read(raw: bytes) -> dict[str, Any]:
    """Read a message as kombu keeps it in a Redis list.

    Args:
        raw: the list's element.

    Returns:
        The message in kombu's form, safe to be given to a Celery worker that accepts JSON.

    Raises:
        Unreadable: with the first problem found.
    """
    try:
        return _read(raw)
    except Unreadable:
        raise
    except Exception as error:  # whatever no check below has foreseen must not reach the worker either
        raise Unreadable(f"{type(error).__name__}: {_short(str(error))}") from error


def _read(raw: bytes) -> dict[str, Any]:
    message = _object(_json(raw, "the message"), "the message")
    headers = _object(message.get("headers", {}), "headers")
    properties = _object(message.get("properties", {}), "properties")
    if message.get("content-type") != "application/json":
        raise Unreadable(f"content-type is {_short(message.get('content-type'))}; only application/json is accepted")
    _check(message, {"content-encoding": _text_or_none}, "")
    _check(properties, _PROPERTIES, "properties.")
    body = _unpacked(_body(message.get("body"), properties), headers)
    content = _json(body, "the body", loads)
    if "task" in headers:
        _check_protocol_2(headers, content)
    else:
        _check_protocol_1(_object(content, "the body of a message without a task header"), headers)
    return {
        "body": base64.b64encode(body).decode(),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": headers,
        "properties": {**properties, "body_encoding": "base64", "delivery_info": _delivery_info(properties)},
    }


def content(message: Mapping[str, Any]) -> Any:
    """The decoded body of a message: `[args, kwargs, embed]` in protocol 2, an object in protocol 1.

    Raises:
        Unreadable: it cannot be decoded.
    """
    headers = dict(_object(message.get("headers", {}), "headers"))
    properties = _object(message.get("properties", {}), "properties")
    return _json(_unpacked(_body(message.get("body"), properties), headers), "the body", loads)


def start_time(message: Mapping[str, Any]) -> float | None:
    """When a message that was read may start at the earliest, seconds since 1970; None for at once."""
    eta = message["headers"].get("eta")
    return _timestamp(eta) if eta else None


def _json(raw: bytes, what: str, parse: Callable[[Any], Any] = json.loads) -> Any:
    try:
        value = parse(raw.decode("utf-8"))
    except RecursionError:
        raise Unreadable(f"{what} is nested too deeply") from None
    except Exception as error:  # noqa: BLE001  - kombu's reader calls constructors of dates and the like with whatever it finds
        raise Unreadable(f"{what} is no JSON in UTF-8: {_short(str(error))}") from None
    if raw.count(b"[") + raw.count(b"{") > _DEEPEST and _deeper_than(value, _DEEPEST):
        raise Unreadable(f"{what} is nested deeper than {_DEEPEST} levels")
    return value


def _deeper_than(value: Any, levels: int) -> bool:
    # Celery hands messages to its processes by pickle, which recurses, and fails where the worker does not expect it.
    layer = [value]
    for _ in range(levels + 1):
        layer = [
            inner
            for outer in layer
            if isinstance(outer, (dict, list))
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not layer:
            return False
    return True


def _body(body: Any, properties: Mapping[str, Any]) -> bytes:
    if not isinstance(body, str):
        raise Unreadable(f"body is {_kind(body)} instead of text")
    encoding = properties.get("body_encoding")
    if encoding in (None, "", "utf-8"):
        return body.encode("utf-8", "surrogatepass")
    if encoding != "base64":
        raise Unreadable(f"properties.body_encoding is {_short(encoding)}; base64 is known, and none")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Unreadable(f"body is not base64: {error}") from None


def _unpacked(body: bytes, headers: dict[str, Any]) -> bytes:
    compression = headers.pop("compression", None)
    if compression is None:
        return body
    if not isinstance(compression, str) or compression not in _COMPRESSIONS:
        raise Unreadable(f"headers.compression is {_short(compression)}; only zlib is accepted")
    unpacker = zlib.decompressobj()
    try:
        unpacked = unpacker.decompress(body, _MOST_UNPACKED)
    except zlib.error as error:
        raise Unreadable(f"body does not decompress: {error}") from None
    if not unpacker.eof:
        raise Unreadable(f"body is cut off, or larger than {_MOST_UNPACKED:,} bytes when decompressed")
    return unpacked


def _check_protocol_2(headers: dict[str, Any], content: Any) -> None:
    _check(headers, _HEADERS | _EMBED, "headers.")
    _refuse_own_names(headers, "headers")
    if not (isinstance(content, list) and len(content) == len(_BODY)):
        raise Unreadable("the body is not [args, kwargs, embed]")
    args, kwargs, embed = content
    if not isinstance(args, list):
        raise Unreadable(f"args is {_kind(args)} instead of a list")
    _object(kwargs, "kwargs")
    if embed is not None:
        _check(_object(embed, "embed"), _EMBED, "embed.")
        _refuse_own_names(embed, "embed")


def _check_protocol_1(body: dict[str, Any], headers: dict[str, Any]) -> None:
    if "task" not in body:
        raise Unreadable("there is no task header, and no task in the body")
    checks = {**_HEADERS, **_EMBED, **_PROTOCOL_1}
    _check(body, checks, "body.")
    _check({**body, **headers}, checks, "headers.")  # Celery lets the headers outrank the body
    _refuse_own_names(body, "body")
    _refuse_own_names(headers, "headers")


def _refuse_own_names(fields: Mapping[str, Any], where: str) -> None:
    # Celery makes each header an attribute of the task's request, where it would hide the method of that name.
    for name in fields:
        if callable(getattr(Context, name, None)) or name.startswith("__") or name in _COMPUTED:
            raise Unreadable(f"{where}.{_short(name)} is a name of Celery's own request object")


def _delivery_info(properties: Mapping[str, Any]) -> dict[str, str]:
    info = properties.get("delivery_info")
    known = info if isinstance(info, dict) else {}
    return {name: known[name] if isinstance(known.get(name), str) else "" for name in ("exchange", "routing_key")}


def _check(fields: Mapping[str, Any], checks: Mapping[str, Callable[[Any], bool]], where: str) -> None:
    for name, fits in checks.items():
        if not fits(fields.get(name)):
            raise Unreadable(f"{where}{name} is {_short(fields.get(name))}, which it must not be")


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Unreadable(f"{what} is {_kind(value)} instead of an object")
    return value


def _kind(value: Any) -> str:
    return "missing" if value is None else f"a {type(value).__name__}"


def _short(value: Any) -> str:
    text = ascii(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _TEXT_LENGTH and value.isprintable()


def _id(value: Any) -> bool:
    return _is_text(value) and len(value) <= _ID_LENGTH


def _text_or_none(value: Any) -> bool:
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
        _timestamp(value)
    except (ValueError, TypeError, OverflowError, AttributeError, OSError):
        return False
    return isinstance(value, str)


def _timestamp(value: Any) -> float:
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
        and isinstance(value.get("options") or {}, dict)
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


_PROPERTIES: dict[str, Callable[[Any], bool]] = {
    "correlation_id": _id_or_none,
    "reply_to": _text_or_none,
    "priority": _index,
}
_HEADERS: dict[str, Callable[[Any], bool]] = {
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
    "argsrepr": _text_or_none,
    "kwargsrepr": _text_or_none,
    "shadow": _text_or_none,
    "origin": _text_or_none,
    "lang": _text_or_none,
    "stamped_headers": _names,
    "stamps": _stamps,
    "ignore_result": _flag,
    "replaced_task_nesting": _count,
    "time_limit": _seconds,
    "soft_time_limit": _seconds,
    "headers": _keywords,
}
_EMBED: dict[str, Callable[[Any], bool]] = {
    "callbacks": _signatures,
    "errbacks": _signatures,
    "chain": _signatures,
    "chord": _signature_or_none,
}
_PROTOCOL_1: dict[str, Callable[[Any], bool]] = {
    "args": _arguments,
    "kwargs": _keywords,
    "taskset": _id_or_none,
    "utc": _flag,
}
# Set by the worker for each run, so no message may bring them.
_COMPUTED = {"loglevel", "logfile", "is_eager", "called_directly", "_protected", "_children"}
