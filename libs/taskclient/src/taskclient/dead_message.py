"""Reads the raw message of a dead letter as far as it can be read, and makes it fit to run again."""

import base64
import binascii
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from taskclient.message import DUE_HEADER, PUBLISHED_HEADER

_DECODER = json.JSONDecoder()
_SPACE = " \t\r\n"
_MOST_UNPACKED = 16 * 1024 * 1024  # bytes of a compressed body
# What a replayed message must not keep: a count of retries that is used up, a start that would delay it, an end that
# may be over, the time since which it waits, as that may be limited. `expiration` is the end in other brokers' words.
_FRESH = {
    ("headers", "retries"): "0",
    ("headers", "eta"): "null",
    ("headers", "expires"): "null",
    ("headers", PUBLISHED_HEADER): "{now:.3f}",
    ("headers", DUE_HEADER): "null",
    ("properties", "expiration"): "null",
}


@dataclass(frozen=True, slots=True)
class DecodedMessage:
    """A message, taken apart.

    Args:
        headers: of Celery's protocol, among them `task`, `id` and `retries`; empty if it has none.
        properties: of the message itself.
        args: positional arguments; None if the body cannot be read.
        kwargs: arguments by name; None if the body cannot be read.
        embed: the body's third part: callbacks, errbacks, chain and chord.
        problem: why a part cannot be read, or None.
    """

    headers: dict[str, Any] = field(default_factory=dict)
    properties: dict[str, Any] = field(default_factory=dict)
    args: Any = None
    kwargs: Any = None
    embed: dict[str, Any] = field(default_factory=dict)
    problem: str | None = None


def decode_message(raw: bytes) -> DecodedMessage:
    """Take a raw message apart; never raises, `problem` says where the reading ended."""
    try:
        message = json.loads(raw)
        headers, properties = _mapping(message["headers"]), _mapping(message["properties"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        return DecodedMessage(problem=f"It is no message of Celery's form: {type(error).__name__}: {error}.")
    try:
        body = json.loads(_body(message, headers, properties))
        args, kwargs, embed = (body["args"], body["kwargs"], body) if isinstance(body, dict) else body
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        problem = f"Its body cannot be read: {type(error).__name__}: {error}."
        return DecodedMessage(headers, properties, problem=problem)
    return DecodedMessage(headers, properties, args, kwargs, embed if isinstance(embed, dict) else {})


def refreshed(raw: bytes, now: float) -> bytes:
    """The message as it must be to run now: retries 0, no eta, no expires, published now; all other bytes stay.

    Args:
        now: seconds since 1970.
        raw: one message of a Redis list. One that is not JSON comes back unchanged; so does one of Celery's old
            protocol 1, which has these values in its body.
    """
    try:
        text = raw.decode()
        spans = [(span, _FRESH[path]) for path, span in _members(text) if path in _FRESH]
    except (ValueError, TypeError, IndexError, RecursionError):
        return raw
    for (start, end), value in reversed(spans):
        if json.loads(text[start:end]):  # 0 and null may stay as they are written
            text = text[:start] + value.format(now=now) + text[end:]
    return text.encode()


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"an object was expected, not {type(value).__name__}")
    return value


def _body(message: dict[str, Any], headers: dict[str, Any], properties: dict[str, Any]) -> bytes:
    text = message["body"]
    try:
        body = base64.b64decode(text, validate=True) if properties.get("body_encoding") == "base64" else text.encode()
        return zlib.decompressobj().decompress(body, _MOST_UNPACKED) if headers.get("compression") else body
    except (binascii.Error, zlib.error, AttributeError) as error:
        raise ValueError(str(error)) from error


def _members(text: str) -> Iterator[tuple[tuple[str, ...], tuple[int, int]]]:
    """Where in the text the values of `headers` and `properties` stand: path, start and end of each."""
    for name, (start, _) in _object(text, _skip(text, 0)):
        if name in {"headers", "properties"} and text[start] == "{":
            for inner, span in _object(text, start):
                yield (name, inner), span


def _object(text: str, start: int) -> Iterator[tuple[str, tuple[int, int]]]:
    """The members of the JSON object that begins at `start`: name, start and end of the value."""
    if text[start] != "{":
        return
    place = _skip(text, start + 1)
    while text[place] != "}":
        name, place = _DECODER.raw_decode(text, place)
        begin = _skip(text, _skip(text, place) + 1)
        _, place = _DECODER.raw_decode(text, begin)
        yield name, (begin, place)
        place = _skip(text, place)
        if text[place] == ",":
            place = _skip(text, place + 1)


def _skip(text: str, place: int) -> int:
    while text[place] in _SPACE:
        place += 1
    return place
