"""Python's types for JSON Schemas: a TypedDict for each object, what Python writes for the rest."""

import keyword
import re
from collections.abc import Mapping
from typing import Any, Final

_SIMPLE: Final = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
_NOTHING: Final = "    pass\n"
# A field of this name would hide the type in its class.
_TYPES: Final = frozenset(
    ("Any", "Literal", "NotRequired", "UUID", "bool", "date", "datetime", "dict", "float", "int", "list", "str")
)
# What the client turns into JSON by itself; results come as JSON has them.
_SENT: Final = {"date-time": "datetime | str", "date": "date | str", "uuid": "UUID | str"}


class StubTypes:
    """The types of one schema, and the TypedDicts that they need.

    Args:
        schema: the whole, in which references are looked up.
        prefix: begins the names of its TypedDicts, as in `EmailSendEmail`.
        sent: whether it is of arguments, which may be Python's own dates and ids.
    """

    def __init__(self, schema: Mapping[str, Any], prefix: str, *, sent: bool) -> None:
        self._definitions: Mapping[str, Any] = schema.get("$defs", {})
        self._prefix, self._sent = prefix, sent
        self._open: list[str] = []
        self._names: dict[int, str] = {}  # by the schema's identity: an object may hold itself
        self.classes: dict[str, str] = {}  # by name, in the order in which they are found

    def of(self, schema: Any, name: str) -> str:
        """The type of a part; an object in it is called `name` behind the prefix."""
        if not isinstance(schema, Mapping):
            return "Any"
        if "$ref" in schema:
            return self._reference(str(schema["$ref"]))
        if "enum" in schema or "const" in schema:
            return _literal(schema.get("enum", [schema.get("const")]))
        for word in ("anyOf", "oneOf"):
            if word in schema:
                return _union(self.of(one, f"{name}{number}") for number, one in enumerate(schema[word], 1))
        if isinstance(schema.get("type"), list):
            return _union(self.of({**schema, "type": kind}, name) for kind in schema["type"])
        return self._of_type(schema, name)

    def typed_dict(self, schema: Mapping[str, Any], name: str) -> str:
        """Make the TypedDict of an object.

        Returns:
            Its name.
        """
        known = self._names.get(id(schema))
        if known is not None:
            return known
        full = self._prefix + name
        while full in self.classes:
            full += "_"
        self._names[id(schema)], self.classes[full] = full, ""
        required = schema.get("required", ())
        fields = {
            field: kind if field in required else f"NotRequired[{kind}]"
            for field, kind in ((one, self.of(part, name + camel(one))) for one, part in _properties(schema))
        }
        self.classes[full] = _class(full, fields)
        return full

    def _of_type(self, schema: Mapping[str, Any], name: str) -> str:
        kind = schema.get("type")
        if kind == "object" or "properties" in schema:
            if _properties(schema):
                return self.typed_dict(schema, name)
            return f"dict[str, {self.of(schema.get('additionalProperties'), name + 'Value')}]"
        if kind == "array":
            return f"list[{'Any' if 'prefixItems' in schema else self.of(schema.get('items'), name + 'Item')}]"
        if kind == "string" and self._sent:
            return _SENT.get(str(schema.get("format")), "str")
        return _SIMPLE.get(str(kind), "Any")

    def _reference(self, reference: str) -> str:
        name = reference.rpartition("/")[2]
        found = self._definitions.get(name)
        if not reference.startswith("#/$defs/") or not isinstance(found, Mapping):
            return "Any"
        if _properties(found):
            return self.typed_dict(found, camel(name))
        if name in self._open:
            return "Any"  # Python has no name for a type that is not an object and holds itself
        self._open.append(name)
        kind = self.of(found, camel(name))
        self._open.pop()
        return kind


def camel(name: str) -> str:
    """`send_email` as a class would be called."""
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"\W|_", name))


def _properties(schema: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return list(schema.get("properties", {}).items())


def _union(kinds: Any) -> str:
    known = list(dict.fromkeys(kinds))
    return "Any" if "Any" in known else " | ".join(known)


def _literal(values: list[Any]) -> str:
    if all(value is None or isinstance(value, (str, int)) for value in values):
        return f"Literal[{', '.join(dict.fromkeys(repr(value) for value in values))}]"
    return "Any"


def _class(name: str, fields: Mapping[str, str]) -> str:
    if all(field.isidentifier() and not keyword.iskeyword(field) and field not in _TYPES for field in fields):
        lines = "".join(f"    {field}: {kind}\n" for field, kind in fields.items())
        return f"class {name}(TypedDict):\n{lines or _NOTHING}"
    parts = "".join(f"        {field!r}: {kind!r},\n" for field, kind in fields.items())
    return f"{name} = TypedDict(\n    {name!r},\n    {{\n{parts}    }},\n)\n"
