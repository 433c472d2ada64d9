"""Python's types for JSON Schemas: a TypedDict for each object, what Python writes for the rest."""

import keyword
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final

from taskclient.schema_types import SchemaTypes

_NOTHING: Final = "    pass\n"
# A field of this name would hide the type in its class.
_TYPES: Final = frozenset(
    ("Any", "Literal", "NotRequired", "UUID", "bool", "date", "datetime", "dict", "float", "int", "list", "str")
)


class StubTypes(SchemaTypes):
    """The types of one schema in Python; arguments may be Python's own dates and ids."""

    anything = "Any"
    simple: ClassVar[Mapping[str, str]] = {
        "string": "str",
        "integer": "int",
        "number": "float",
        "boolean": "bool",
        "null": "None",
    }
    sent_text: ClassVar[Mapping[str, str]] = {"date-time": "datetime | str", "date": "date | str", "uuid": "UUID | str"}

    def object(self, name: str, fields: Mapping[str, str], required: Iterable[str]) -> str:
        """A TypedDict."""
        kinds = {one: kind if one in required else f"NotRequired[{kind}]" for one, kind in fields.items()}
        return _class(name, kinds)

    def literal(self, values: list[Any]) -> str:
        """`Literal[...]`, which has no numbers with a fraction and no objects."""
        if all(value is None or isinstance(value, (str, int)) for value in values):
            return f"Literal[{', '.join(dict.fromkeys(repr(value) for value in values))}]"
        return self.anything

    def array(self, item: str) -> str:
        """`list[...]`."""
        return f"list[{item}]"

    def mapping(self, value: str) -> str:
        """`dict[str, ...]`."""
        return f"dict[str, {value}]"


def _class(name: str, fields: Mapping[str, str]) -> str:
    if all(field.isidentifier() and not keyword.iskeyword(field) and field not in _TYPES for field in fields):
        lines = "".join(f"    {field}: {kind}\n" for field, kind in fields.items())
        return f"class {name}(TypedDict):\n{lines or _NOTHING}"
    parts = "".join(f"        {field!r}: {kind!r},\n" for field, kind in fields.items())
    return f"{name} = TypedDict(\n    {name!r},\n    {{\n{parts}    }},\n)\n"
