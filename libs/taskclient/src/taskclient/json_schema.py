"""Reads JSON Schemas: follows local references, compares two of them, and takes one apart by what it constrains."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

Schema = Mapping[str, Any]
TYPES: Final = ("null", "boolean", "object", "array", "string", "number")
_DEFINITIONS: Final = ("$defs", "definitions")
#: Keywords that limit one type's values, by that type, and are compared here.
OF_TYPE: Final[dict[str, frozenset[str]]] = {
    "null": frozenset(),
    "boolean": frozenset(),
    "number": frozenset(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")),
    "string": frozenset(("minLength", "maxLength", "pattern", "format")),
    "array": frozenset(("minItems", "maxItems", "uniqueItems", "items", "prefixItems")),
    "object": frozenset(
        ("properties", "required", "additionalProperties", "minProperties", "maxProperties", "propertyNames")
    ),
}
#: Keywords whose meaning is not compared: they must stay as they are.
OPAQUE: Final = frozenset(
    ("not", "if", "then", "else", "contains", "minContains", "maxContains", "dependentSchemas", "dependentRequired",
     "dependencies", "patternProperties", "unevaluatedItems", "unevaluatedProperties")
)  # fmt: skip
#: Those that mean something else when what stands beside them changes.
DEPENDENT: Final = frozenset(("unevaluatedItems", "unevaluatedProperties"))
_NAMES: Final = frozenset(("$id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor"))


class Undecidable(Exception):
    """Something in a schema that is not read here; says what."""


@dataclass(frozen=True, slots=True)
class Document:
    """A whole schema, in which references of its parts are looked up."""

    root: Schema

    def follow(self, reference: str) -> Any:
        """The part that a reference means; another reference there is followed as well.

        Raises:
            Undecidable: it leads out of the document, nowhere, or in a circle.
        """
        seen = set()
        while True:
            if reference in seen:
                raise Undecidable(f"the reference {reference} leads in a circle")
            seen.add(reference)
            found = self._part(reference)
            if not (isinstance(found, Mapping) and "$ref" in found and not constraints(found).keys() - {"$ref"}):
                return found
            reference = found["$ref"]

    def alone(self, part: Any) -> dict[str, Any]:
        """A schema of its own for a part of this one.

        Raises:
            Undecidable: it refers to something that is no definition.
        """
        definitions = {name: self.root[name] for name in _DEFINITIONS if name in self.root}
        for reference in _references([part, definitions]):
            if not reference.startswith(tuple(f"#/{name}/" for name in _DEFINITIONS)):
                raise Undecidable(f"the reference {reference} leads to no definition")
        return {**definitions, "allOf": [part]}

    def _part(self, reference: Any) -> Any:
        path = str(reference)
        if path != "#" and not path.startswith("#/"):
            raise Undecidable(f"the reference {path} leads out of the schema")
        part: Any = self.root
        for step in path.split("/")[1:]:
            name = unquote(step).replace("~1", "/").replace("~0", "~")
            if not isinstance(part, Mapping) or name not in part:
                raise Undecidable(f"the reference {path} leads nowhere")
            part = part[name]
        return part


def constraints(schema: Schema) -> dict[str, Any]:
    """The keywords that tell one value from another."""
    return {name: value for name, value in schema.items() if name in _CONSTRAINING}


def plain(schema: Any, document: Document) -> dict[str, Any] | None:
    """The constraints of a schema, those of a reference in its place; None for `false`, which accepts nothing.

    Raises:
        Undecidable: a reference cannot be followed, or it is no schema.
    """
    if isinstance(schema, Mapping) and constraints(schema).keys() == {"$ref"}:
        schema = document.follow(schema["$ref"])
    if isinstance(schema, bool):
        return {} if schema else None
    if not isinstance(schema, Mapping):
        raise Undecidable("it is no schema")
    return constraints(schema)


def refuse_moved_names(schema: Any) -> None:
    """Refuse a schema in which references may mean something else than their path from its beginning.

    Raises:
        Undecidable: it names parts of itself, or refers to such names.
    """
    if isinstance(schema, Mapping):
        moved = schema.keys() & _NAMES
        if moved:
            raise Undecidable(f"{min(moved)} is not read here")
    if isinstance(schema, (Mapping, list)):
        for inner in schema.values() if isinstance(schema, Mapping) else schema:
            refuse_moved_names(inner)


def types_of(schema: Schema) -> tuple[str, ...]:
    """The types that a schema allows; all if it names none."""
    named = schema.get("type", TYPES)
    return (named,) if isinstance(named, str) else tuple(named)


def same(one: Any, one_document: Document, other: Any, other_document: Document) -> bool:
    """Whether two schemas say the same in the same words, their references included.

    Raises:
        Undecidable: a reference cannot be followed.
    """
    seen: set[str] = set()
    waiting = [(one, other)]
    while waiting:
        left, right = (_without_annotations(schema) for schema in waiting.pop())
        if json.dumps(left, sort_keys=True) != json.dumps(right, sort_keys=True):
            return False
        for reference in set(_references(left)) - seen:
            seen.add(reference)
            waiting.append((one_document.follow(reference), other_document.follow(reference)))
    return True


def _without_annotations(schema: Any) -> Any:
    """Leaves out annotations where a schema stands; below words that hold values or names all counts."""
    if not isinstance(schema, Mapping):
        return schema
    return {name: _inner(name, value) for name, value in schema.items() if name in _CONSTRAINING}


def _inner(name: str, value: Any) -> Any:
    if name in {"properties", "patternProperties", "dependentSchemas"} and isinstance(value, Mapping):
        return {key: _without_annotations(inner) for key, inner in value.items()}
    if name in {"anyOf", "oneOf", "allOf", "prefixItems"} and isinstance(value, list):
        return [_without_annotations(inner) for inner in value]
    if name in {"items", "additionalProperties", "propertyNames", "not", "if", "then", "else", "contains"}:
        return _without_annotations(value)
    return value


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


# All other keywords tell people something, and no value from another: `title`, `default`, `discriminator`.
_CONSTRAINING: Final = frozenset(
    (
        "type",
        "enum",
        "const",
        "anyOf",
        "oneOf",
        "allOf",
        "$ref",
        *OPAQUE,
        *(w for words in OF_TYPE.values() for w in words),
    )
)
