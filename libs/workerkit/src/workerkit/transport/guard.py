"""Reads raw messages, and refuses what Celery could not survive; nothing that lies in a queue is trusted.

Celery and kombu expect what their own producers write. A message of another form makes them raise in places where a
worker ends, loops or drops the message. So each message is read here first, in full, and by a stricter rule.
The protocol: https://docs.celeryq.dev/en/stable/internals/protocol.html
"""

import base64
import binascii
import json
import zlib
from collections.abc import Callable, Mapping
from typing import Any

from kombu.utils.json import object_hook
from pydantic_core import from_json

from workerkit.transport.fields import (
    EMBED,
    HEADERS_1,
    HEADERS_2,
    NEVER_NONE,
    OWN_NAMES,
    PROPERTIES,
    Checks,
    text_or_none,
    timestamp,
)

_MOST_UNPACKED = 16 * 1024 * 1024  # bytes of a compressed body
_COMPRESSIONS = {"application/x-gzip", "gzip", "zlib"}
_DEEPEST = 100  # levels of lists and objects
_SHOWN = 100  # characters of a wrong value in an error
_BODY = ("args", "kwargs", "embed")
_CELERY_JSON = json.JSONDecoder(object_hook=object_hook)


class Unreadable(ValueError):
    """The message is no valid message of Celery's protocol; says what is wrong with it."""


def read(raw: bytes) -> dict[str, Any]:
    """Read a message as kombu keeps it in a Redis list.

    Args:
        raw: the list's element.

    Returns:
        The message in kombu's form, safe to be given to a Celery worker that accepts JSON. Its body is bytes, and
        decoded once more under `content`: `[args, kwargs, embed]` in protocol 2, an object in protocol 1.

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
    if not text_or_none(message.get("content-encoding")):
        raise Unreadable(f"content-encoding is {_short(message['content-encoding'])}, which it must not be")
    _check(properties, PROPERTIES, "properties.")
    body = _unpacked(_body(message.get("body"), properties), headers)
    content = _body_json(body)
    if "task" in headers:
        _check_protocol_2(headers, content)
    else:
        _check_protocol_1(_object(content, "the body of a message without a task header"), headers)
    return {
        "body": body,
        "content": content,
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": headers,
        "properties": {**properties, "body_encoding": None, "delivery_info": _delivery_info(properties)},
    }


def content(message: Mapping[str, Any]) -> Any:
    """The decoded body of a message: `[args, kwargs, embed]` in protocol 2, an object in protocol 1.

    Raises:
        Unreadable: it cannot be decoded.
    """
    headers = dict(_object(message.get("headers", {}), "headers"))
    properties = _object(message.get("properties", {}), "properties")
    return _body_json(_unpacked(_body(message.get("body"), properties), headers))


def start_time(message: Mapping[str, Any]) -> float | None:
    """When a message that was read may start at the earliest, seconds since 1970; None for at once."""
    headers = message["headers"]
    eta = (headers if "task" in headers else message["content"]).get("eta")  # the old protocol has it in the body
    return timestamp(eta) if eta else None


def _body_json(raw: bytes) -> Any:
    # Celery writes dates and the like as objects with this key, of which a letter may be escaped.
    typed = b"__type__" in raw or b"\\u" in raw
    return _json(raw, "the body", _CELERY_JSON.decode) if typed else _json(raw, "the body")


def _json(raw: bytes, what: str, parse: Callable[[str], Any] | None = None) -> Any:
    try:
        value = _parsed(raw) if parse is None else parse(raw.decode("utf-8"))
    except RecursionError:
        raise Unreadable(f"{what} is nested too deeply") from None
    except Exception as error:  # noqa: BLE001  - kombu's reader calls constructors of dates and the like with whatever it finds
        raise Unreadable(f"{what} is no JSON in UTF-8: {_short(str(error))}") from None
    if raw.count(b"[") + raw.count(b"{") > _DEEPEST and _deeper_than(value, _DEEPEST):
        raise Unreadable(f"{what} is nested deeper than {_DEEPEST} levels")
    return value


def _parsed(raw: bytes) -> Any:
    try:
        return from_json(raw)  # a quarter of the time, and the same values
    except ValueError:  # it takes less: no half of a surrogate pair, for one
        return json.loads(raw.decode("utf-8"))


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
    _require_id(headers, "headers")
    _check(headers, HEADERS_2, "headers.")
    _refuse_own_names(headers, "headers")
    if not (isinstance(content, list) and len(content) == len(_BODY)):
        raise Unreadable("the body is not [args, kwargs, embed]")
    args, kwargs, embed = content
    if not isinstance(args, list):
        raise Unreadable(f"args is {_kind(args)} instead of a list")
    _object(kwargs, "kwargs")
    if embed is not None:
        _check(_object(embed, "embed"), EMBED, "embed.")
        _refuse_own_names(embed, "embed")


def _check_protocol_1(body: dict[str, Any], headers: dict[str, Any]) -> None:
    if "task" not in body:
        raise Unreadable("there is no task header, and no task in the body")
    _require_id(body, "body")
    _check(body, HEADERS_1, "body.")
    _check(headers, HEADERS_1, "headers.")  # Celery lets the headers outrank the body
    _refuse_own_names(body, "body")
    _refuse_own_names(headers, "headers")


def _require_id(fields: Mapping[str, Any], where: str) -> None:
    if "id" not in fields:
        raise Unreadable(f"{where}.id is missing")


def _refuse_own_names(fields: Mapping[str, Any], where: str) -> None:
    # Celery makes each header an attribute of the task's request, where it would hide the method of that name.
    if OWN_NAMES.isdisjoint(fields) and "__" not in " ".join(fields):
        return  # so it is with nearly all messages
    for name in fields:
        if name in OWN_NAMES or name.startswith("__"):
            raise Unreadable(f"{where}.{_short(name)} is a name of Celery's own request object")


def _delivery_info(properties: Mapping[str, Any]) -> dict[str, str]:
    info = properties.get("delivery_info")
    known = info if isinstance(info, dict) else {}
    return {name: known[name] if isinstance(known.get(name), str) else "" for name in ("exchange", "routing_key")}


def _check(fields: Mapping[str, Any], checks: Checks, where: str) -> None:
    for name, value in fields.items():
        if value is None and name not in NEVER_NONE:
            continue  # so it is with most headers
        fits = checks.get(name)
        if fits is not None and not fits(value):
            raise Unreadable(f"{where}{name} is {_short(value)}, which it must not be")


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Unreadable(f"{what} is {_kind(value)} instead of an object")
    return value


def _kind(value: Any) -> str:
    return "missing" if value is None else f"a {type(value).__name__}"


def _short(value: Any) -> str:
    text = ascii(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
