"""Checks a payload against a task's contract: the JSON Schema is compiled once, and every wrong field is named."""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

import jsonschema_rs
from pydantic import AnyUrl, TypeAdapter, ValidationError
from pydantic_core import from_json

from taskclient.errors import FieldError, PayloadRefused

_VERSION_LENGTH = 12  # hexadecimal digits; only versions of one task's schema are told apart
_MASK = "the value"
_ADDRESS = re.compile(r"\S+@[^\s@]+")
_MOST_SHOWN = 500  # characters of one problem


class UnusableSchema(ValueError):
    """The contract's JSON Schema is none that can be compiled, so nothing can be checked against it."""


class ContractCheck:
    """What one task accepts.

    Args:
        name: the task's name, for the errors.
        parameters: JSON Schema of the payload, draft 2020-12.

    Raises:
        UnusableSchema: it cannot be compiled.
    """

    def __init__(self, name: str, parameters: Mapping[str, Any]) -> None:
        self.name = name
        self.version = schema_version(parameters)
        self._validator = compiled(parameters)

    def accepts(self, payload: Any) -> bool:
        """Whether the payload, as JSON types, fits; much faster than `problems`."""
        return self._validator.is_valid(payload)

    def problems(self, payload: Any) -> list[FieldError]:
        """All wrong fields, without their values; empty if the payload fits."""
        return [found for error in self._validator.iter_errors(payload) for found in _problems(error)]

    def check(self, encoded: bytes) -> None:
        """Refuse a payload, given as JSON, that does not fit.

        Raises:
            PayloadRefused: with every wrong field.
        """
        payload = from_json(encoded)
        if not self.accepts(payload):
            raise PayloadRefused(self.name, self.problems(payload))


def schema_version(parameters: Mapping[str, Any]) -> str:
    """What tells one version of a task's arguments from another: a digest of their JSON Schema."""
    return hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()[:_VERSION_LENGTH]


def compiled(schema: Any) -> jsonschema_rs.Draft202012Validator:
    """The validator of a JSON Schema, with this library's reading of formats.

    Raises:
        UnusableSchema: it cannot be compiled.
    """
    try:
        return jsonschema_rs.Draft202012Validator(
            schema,
            validate_formats=True,
            formats=_FORMATS,
            mask=_MASK,  # the value may be secret, and errors end in logs
            offline=True,  # a schema must not make the caller ask a server
        )
    except (ValueError, TypeError, RecursionError) as error:  # jsonschema_rs.ValidationError is a ValueError
        raise UnusableSchema(f"It is no JSON Schema of draft 2020-12: {str(error)[:_MOST_SHOWN]}") from error


def _reads(kind: Any) -> Callable[[str], bool]:
    adapter = TypeAdapter(kind)

    def reads(value: str) -> bool:
        try:
            adapter.validate_python(value)
        except ValidationError:
            return False
        return True

    return reads


def _maybe_an_address(value: str) -> bool:
    return _ADDRESS.fullmatch(value) is not None


def _anything(_: str) -> bool:
    return True


# As pydantic reads them, which the workers use: RFC 3339 alone would refuse a time without a zone, say. What only a
# library that callers do not have can tell is left to the worker.
_FORMATS: Final[dict[str, Callable[[str], bool]]] = {
    "date-time": _reads(datetime),
    "date": _reads(date),
    "time": _reads(time),
    "duration": _reads(timedelta),
    "uuid": _reads(UUID),
    "uri": _reads(AnyUrl),
    "email": _maybe_an_address,
    **dict.fromkeys(("idn-email", "hostname", "idn-hostname", "iri", "uri-reference", "regex"), _anything),
}


def _problems(error: Any) -> Iterable[FieldError]:
    path = [str(part) for part in error.instance_path]
    match error.kind.name:
        case "required":
            yield _wrong([*path, error.kind.property], "is missing")
        case "additionalProperties" | "unevaluatedProperties":
            word = "a field here" if path else "a parameter of this task"
            yield from (_wrong([*path, name], f"is not {word}") for name in error.kind.unexpected)
        case "anyOf" | "oneOf" if forms := _likely(getattr(error.kind, "context", [])):
            yield from _of_forms(path, forms)
        case "format":
            yield _wrong(path, f"is no {error.kind.format}")
        case _:
            yield _wrong(path, error.message.removeprefix(f"{_MASK} "))


def _likely(branches: list[list[Any]]) -> list[list[Any]]:
    """The forms whose type the value has, if there are such: null is no likely form of a text that is too long."""
    return [branch for branch in branches if not _is_of_another_type(branch)] or branches


def _is_of_another_type(branch: list[Any]) -> bool:
    shortest: list[str | int] = min((error.instance_path for error in branch), key=len, default=[])
    return any(error.kind.name == "type" and error.instance_path == shortest for error in branch)


def _of_forms(path: list[str], forms: list[list[Any]]) -> Iterable[FieldError]:
    if len(forms) == 1:
        for error in forms[0]:
            yield from _problems(error)
        return
    said = ["; ".join(found["problem"] for error in form for found in _problems(error)) for form in forms]
    yield _wrong(path, " or ".join(dict.fromkeys(said)))


def _wrong(path: list[str], problem: str) -> FieldError:
    return {"field": ".".join(path) or "payload", "problem": problem[:_MOST_SHOWN]}
