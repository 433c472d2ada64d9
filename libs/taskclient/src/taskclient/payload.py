"""Turns a payload into JSON, or says which field has no JSON form."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json, to_jsonable_python

from taskclient.errors import PayloadNotSerializable, PayloadTooLarge

MAX_BYTES = 256 * 1024  # Redis keeps every waiting message in memory

# NaN and infinity are no JSON: other languages could not read the message.
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def encode_payload(name: str, payload: Mapping[str, Any]) -> bytes:
    """The payload as JSON.

    Args:
        name: the task's name, for the errors.
        payload: the task's arguments by name. Pydantic models, dataclasses, datetimes, UUID, Decimal, Enum and
            the like take the JSON form that pydantic gives them.

    Returns:
        One JSON object, UTF-8.

    Raises:
        PayloadNotSerializable: a value has no JSON form; the message names its field.
        PayloadTooLarge: more than 256 KiB.
    """
    encoded = _to_json(name, payload)
    if len(encoded) > MAX_BYTES:
        raise PayloadTooLarge(
            f"The payload for {name} has {len(encoded)} bytes, a message may have {MAX_BYTES}. "
            "Store the data (a file, an object store, the database) and send a reference to it."
        )
    return encoded


def decode_payload(encoded: bytes) -> dict[str, Any]:
    """The payload as JSON types, from what `encode_payload` has made."""
    payload: dict[str, Any] = from_json(encoded)
    return payload


def _to_json(name: str, payload: Mapping[str, Any]) -> bytes:
    try:
        return _encode(to_jsonable_python(dict(payload))).encode()
    except (ValueError, TypeError, RecursionError) as error:
        field, value = _culprit("", payload)
        raise PayloadNotSerializable(
            f"The field {field!r} of the payload for {name} is a {type(value).__name__} without a JSON form. "
            f"Send numbers, text, lists and objects, and a reference to anything else. ({type(error).__name__})",
            field or "payload",
        ) from error


def _culprit(path: str, value: Any, depth: int = 10) -> tuple[str, Any]:
    """The innermost value without a JSON form, and its dotted path; a list may contain itself, hence the depth."""
    for key, child in _children(value) if depth else ():
        if not _has_json_form(child):
            return _culprit(f"{path}.{key}" if path else str(key), child, depth - 1)
    return path, value


def _children(value: Any) -> list[tuple[Any, Any]]:
    if isinstance(value, Mapping):
        return list(value.items())
    return list(enumerate(value)) if isinstance(value, (list, tuple)) else []


def _has_json_form(value: Any) -> bool:
    try:
        _encode(to_jsonable_python(value)).encode()
    except (ValueError, TypeError, RecursionError):
        return False
    return True
