"""Goes through a JSON Schema and has a language's types written for it; each language says what they look like."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final

from taskclient.catalog import CatalogEntry

_UNIONS: Final = ("anyOf", "oneOf")


class SchemaTypes(ABC):
    """The types of one schema, and the named ones that they need: one for each object with known fields.

    Args:
        schema: the whole, in which references are looked up.
        prefix: begins the names of its types, as in `EmailSendEmail`.
        sent: whether it is of arguments, which a client may turn into JSON; results come as JSON has them.
    """

    anything: ClassVar[str]  # the word for a value of any type
    simple: ClassVar[Mapping[str, str]]  # the words for types of JSON Schema
    sent_text: ClassVar[Mapping[str, str]]  # what may be sent for a text of some format

    def __init__(self, schema: Mapping[str, Any], prefix: str, *, sent: bool) -> None:
        self._definitions: Mapping[str, Any] = schema.get("$defs", {})
        self._prefix, self._sent = prefix, sent
        self._open: list[str] = []
        self._names: dict[int, str] = {}  # by the schema's identity: an object may hold itself
        self.classes: dict[str, str] = {}  # by name, in the order in which they are found

    @abstractmethod
    def object(self, name: str, fields: Mapping[str, str], required: Iterable[str]) -> str:
        """The definition of an object's type, of its fields' types."""

    @abstractmethod
    def literal(self, values: list[Any]) -> str:
        """One of a few values."""

    @abstractmethod
    def array(self, item: str) -> str:
        """A list."""

    @abstractmethod
    def mapping(self, value: str) -> str:
        """An object whose fields have any names."""

    def of(self, schema: Any, name: str) -> str:
        """The type of a part; an object in it is called `name` behind the prefix."""
        if not isinstance(schema, Mapping):
            return self.anything
        if "$ref" in schema:
            return self._reference(str(schema["$ref"]))
        if "enum" in schema or "const" in schema:
            return self.literal(schema.get("enum", [schema.get("const")]))
        for word in _UNIONS:
            if word in schema:
                return self._union(self.of(one, f"{name}{number}") for number, one in enumerate(schema[word], 1))
        if isinstance(schema.get("type"), list):
            return self._union(self.of({**schema, "type": kind}, name) for kind in schema["type"])
        return self._of_type(schema, name)

    def named(self, schema: Mapping[str, Any], name: str) -> str:
        """Make the type of an object.

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
        fields = {one: self.of(part, name + camel(one)) for one, part in _properties(schema)}
        self.classes[full] = self.object(full, fields, schema.get("required", ()))
        return full

    def _of_type(self, schema: Mapping[str, Any], name: str) -> str:
        kind = schema.get("type")
        if kind == "object" or "properties" in schema:
            if _properties(schema):
                return self.named(schema, name)
            return self.mapping(self.of(schema.get("additionalProperties"), name + "Value"))
        if kind == "array":
            return self.array(self.anything if "prefixItems" in schema else self.of(schema.get("items"), name + "Item"))
        if kind == "string" and self._sent:
            return self.sent_text.get(str(schema.get("format")), self.simple["string"])
        return self.simple.get(str(kind), self.anything)

    def _reference(self, reference: str) -> str:
        name = reference.rpartition("/")[2]
        found = self._definitions.get(name)
        if not reference.startswith("#/$defs/") or not isinstance(found, Mapping):
            return self.anything
        if _properties(found):
            return self.named(found, camel(name))
        if name in self._open:
            return self.anything  # there is no name for a type that is not an object and holds itself
        self._open.append(name)
        kind = self.of(found, camel(name))
        self._open.pop()
        return kind

    def _union(self, kinds: Iterable[str]) -> str:
        known = list(dict.fromkeys(kinds))
        return self.anything if self.anything in known else " | ".join(known)


def camel(name: str) -> str:
    """`send_email` as a class would be called."""
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"\W|_", name))


def task_functions(entries: Iterable[CatalogEntry]) -> list[tuple[str, CatalogEntry]]:
    """The name of each task's function, `<module>_<task>`, with its contract, sorted by the tasks' names.

    Raises:
        ValueError: two tasks would have the same function.
    """
    found, taken = [], dict[str, str]()
    for entry in sorted(entries, key=lambda one: one.name):
        function = "_".join(entry.name.split(".")[2:])
        other = taken.setdefault(camel(function), entry.name)
        if other != entry.name:
            raise ValueError(f"{entry.name} and {other} would both be called {function}: rename one of them.")
        found.append((function, entry))
    return found


def sentence(description: str) -> str:
    """The first line of a task's description."""
    return description.strip().partition("\n")[0] or "It does not say what it does."


def _properties(schema: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return list(schema.get("properties", {}).items())
