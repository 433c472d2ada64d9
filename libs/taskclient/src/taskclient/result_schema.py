"""JSON Schemas of what tasks return, as a step after them gets it: one result, or the list of several."""

from collections.abc import Mapping
from typing import Any, Final

_DEFINITIONS: Final = "$defs"
_OF_NAMES: Final = ("properties", "$defs")
_OF_SCHEMAS: Final = ("anyOf", "oneOf", "prefixItems")
_OF_ONE: Final = ("items", "additionalProperties")


def closed(schema: Any) -> Any:
    """The schema of a result whose objects have no fields but those that are named.

    A worker writes what the result's type declares; one that may have other fields says so (`additionalProperties`).
    """
    if not isinstance(schema, Mapping) or "allOf" in schema:
        return schema
    found = {word: _closed(word, value) for word, value in schema.items()}
    if "properties" in found and "patternProperties" not in found:
        found.setdefault("additionalProperties", False)
    return found


def _closed(word: str, value: Any) -> Any:
    if word in _OF_NAMES and isinstance(value, Mapping):
        return {name: closed(part) for name, part in value.items()}
    if word in _OF_SCHEMAS and isinstance(value, list):
        return [closed(part) for part in value]
    return closed(value) if word in _OF_ONE else value


def list_of(results: list[dict[str, Any]]) -> dict[str, Any]:
    """The schema of the list of a group's results."""
    size = {"type": "array", "minItems": len(results), "maxItems": len(results)}
    if all(result == results[0] for result in results):
        return {**size, "items": _without_definitions(results[0]), _DEFINITIONS: results[0].get(_DEFINITIONS, {})}
    definitions: dict[str, Any] = {}
    items = []
    for number, result in enumerate(results):
        moved = _moved(result, f"{number}-")
        definitions.update({f"{number}-{name}": part for name, part in moved.get(_DEFINITIONS, {}).items()})
        items.append(_without_definitions(moved))
    return {**size, "prefixItems": items, _DEFINITIONS: definitions}


def _without_definitions(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {word: value for word, value in schema.items() if word != _DEFINITIONS}


def _moved(value: Any, prefix: str) -> Any:
    """A schema whose references lead to definitions with a prefix: those of several results stand side by side."""
    if isinstance(value, Mapping):
        return {
            word: _reference(part, prefix) if word == "$ref" else _moved(part, prefix) for word, part in value.items()
        }
    return [_moved(part, prefix) for part in value] if isinstance(value, list) else value


def _reference(value: Any, prefix: str) -> Any:
    start = f"#/{_DEFINITIONS}/"
    return value.replace(start, start + prefix, 1) if isinstance(value, str) and value.startswith(start) else value
