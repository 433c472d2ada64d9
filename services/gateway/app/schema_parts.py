"""Puts tasks' JSON Schemas into a document that has all of them: parts are named by their task, references follow."""

import re
from typing import Any, Final

_PLACE: Final = "#/components/schemas/"
_DEFINITIONS: Final = "#/$defs/"
_UNFIT: Final = re.compile(r"[^A-Za-z0-9._-]")


def component(name: str) -> dict[str, str]:
    """A reference to a part of the document."""
    return {"$ref": _PLACE + _UNFIT.sub("_", name)}


def hoisted(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """The parts that a schema becomes: itself, and each of its definitions, named after it.

    Args:
        name: the schema's name in the document.
        schema: with its definitions inside, as in the catalog.
    """
    parts = {name: {key: value for key, value in schema.items() if key != "$defs"}}
    parts |= {f"{name}.{inner}": value for inner, value in schema.get("$defs", {}).items()}
    return {_UNFIT.sub("_", part): _moved(value, name) for part, value in parts.items()}


def _moved(value: Any, name: str) -> Any:
    match value:
        case {"$ref": str(target)} if target.startswith(_DEFINITIONS):
            return {**value, **component(f"{name}.{target.removeprefix(_DEFINITIONS)}")}
        case dict():
            return {key: _moved(inner, name) for key, inner in value.items()}
        case list():
            return [_moved(inner, name) for inner in value]
    return value
