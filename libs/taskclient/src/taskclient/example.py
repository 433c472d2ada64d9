"""An example of a payload, from nothing but the task's JSON Schema."""

import re
from collections.abc import Mapping
from typing import Any, Final

from taskclient.json_schema import Document, Undecidable

_FORMATS: Final = {
    "email": "ada@example.com",
    "date": "2030-01-31",
    "time": "12:00:00Z",
    "date-time": "2030-01-31T12:00:00Z",
    "duration": "PT1H",
    "uuid": "5f0c4a1e-9a53-4c1f-8a5e-3f1d0a1c77b2",
    "uri": "https://example.com/",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
}
_DEEPEST: Final = 8  # a schema may refer to itself
_LONGEST: Final = 128  # characters of a text that is tried on a pattern


def example_of(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A payload with all required fields, and no other, that the schema accepts, as far as it can be guessed.

    What the schema itself gives as example, default or constant comes first. A text has the form that its format asks
    for; one with a pattern is a guess. Where nothing is known, a text is the field's name.

    Args:
        schema: of a task's parameters.
    """
    value = _Examples(Document(schema)).value(schema, "payload", 0)
    return value if isinstance(value, dict) else {}


class _Examples:
    def __init__(self, document: Document) -> None:
        self._document = document

    def value(self, schema: Any, name: str, depth: int) -> Any:
        """An example for one part of the schema; `name` is that of its field."""
        schema = self._followed(schema)
        if not isinstance(schema, Mapping) or depth > _DEEPEST:
            return name
        if (given := _given(schema)) is not None:
            return given[0]
        for word in ("anyOf", "oneOf"):
            if schema.get(word):
                return self.value(self._simplest(schema[word]), name, depth + 1)
        if schema.get("allOf"):
            merged = {key: value for part in schema["allOf"] for key, value in self._followed(part).items()}
            return self.value(merged | {key: schema[key] for key in schema if key != "allOf"}, name, depth + 1)
        return self._of_type(schema, name, depth)

    def _followed(self, schema: Any) -> Any:
        try:
            return self._document.follow(schema["$ref"]) if isinstance(schema, Mapping) and "$ref" in schema else schema
        except Undecidable:
            return {}

    def _simplest(self, choices: list[Any]) -> Any:
        """One that refers to nothing, which might be itself, if there is one; else not null, if there is another."""
        followed = [self._followed(choice) for choice in choices]
        return min(followed, key=lambda one: ("$ref" in str(one), one == {"type": "null"}, "anyOf" in str(one)))

    def _of_type(self, schema: Mapping[str, Any], name: str, depth: int) -> Any:
        kind = schema.get("type", "object" if "properties" in schema else "string")
        match kind[0] if isinstance(kind, list) else kind:
            case "object":
                fields = schema.get("properties", {})
                return {
                    field: self.value(fields.get(field, {}), field, depth + 1) for field in schema.get("required", ())
                }
            case "array":
                items = schema.get("prefixItems") or [schema.get("items", {})] * max(1, schema.get("minItems", 0))
                return [self.value(item, name, depth + 1) for item in items]
            case "integer" | "number":
                return _number(schema)
            case "boolean":
                return True
            case "null":
                return None
        return _text(schema, name)


def _given(schema: Mapping[str, Any]) -> list[Any] | None:
    """What the schema itself offers, in a list; None if it offers nothing."""
    if schema.get("examples"):
        return [schema["examples"][0]]
    if "const" in schema or "default" in schema:
        return [schema.get("const", schema.get("default"))]
    return [schema["enum"][0]] if schema.get("enum") else None


def _number(schema: Mapping[str, Any]) -> float:
    step = schema.get("multipleOf", 1)
    least = schema.get("minimum", schema.get("exclusiveMinimum"))
    most = schema.get("maximum", schema.get("exclusiveMaximum"))
    number: float = step
    if least is not None and number <= least:
        number = least + (step if "exclusiveMinimum" in schema else 0)
    if most is not None and number >= most:
        number = most - (step if "exclusiveMaximum" in schema else 0)
    return number


def _text(schema: Mapping[str, Any], name: str) -> str:
    known = _FORMATS.get(schema.get("format", ""))
    if known is not None:
        return known
    least, most = schema.get("minLength", 0), schema.get("maxLength", _LONGEST)
    fitting = (word.ljust(least, "x")[:most] for word in (name, *_guesses()))
    pattern = schema.get("pattern")
    try:
        return next((text for text in fitting if pattern is None or re.search(pattern, text)), name)
    except re.error:  # JSON Schema's patterns are those of JavaScript
        return name


def _guesses() -> list[str]:
    texts = ["2030-01-31", "a/b", "a-1", "A-1", "ada@example.com", "https://example.com/"]
    return texts + [character * length for length in range(1, _LONGEST + 1) for character in "a0A"]
