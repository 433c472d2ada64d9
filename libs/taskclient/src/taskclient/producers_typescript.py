"""Writes a TypeScript module with a typed function for each task, from the tasks' contracts."""

import json
import re
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any, ClassVar, Final

from taskclient.catalog import CatalogEntry
from taskclient.schema_types import SchemaTypes, camel, sentence, task_functions

_HEAD: Final = """\
// Typed calls of tasks by name; `tasks producers` has written it from their contracts, so do not edit it.
// It needs Node.js 20 or newer, and npm's redis.
"""
_FUNCTION: Final = """\
/** {text} */
export function {function}(
  client: TaskClient,
  payload: {arguments}{default},
  options: SendOptions = {{}},
): Promise<TaskHandle<{result}>> {{
  return client.send({name}, payload, {{ queue: {queue}, ...options }});
}}
"""
_IDENTIFIER: Final = re.compile(r"[A-Za-z_$][\w$]*")


class TypeScriptTypes(SchemaTypes):
    """The types of one schema in TypeScript: an interface for each object."""

    anything = "unknown"
    simple: ClassVar[Mapping[str, str]] = {
        "string": "string",
        "integer": "number",
        "number": "number",
        "boolean": "boolean",
        "null": "null",
    }
    sent_text: ClassVar[Mapping[str, str]] = {"date-time": "Date | string"}

    def object(self, name: str, fields: Mapping[str, str], required: Iterable[str]) -> str:
        """An interface."""
        lines = "".join(
            f"  {_property(one)}{'' if one in required else '?'}: {kind};\n" for one, kind in fields.items()
        )
        return f"export interface {name} {{\n{lines}}}\n"

    def literal(self, values: list[Any]) -> str:
        """A union of the values; objects among them are any."""
        if any(isinstance(value, (dict, list)) for value in values):
            return self.anything
        return " | ".join(dict.fromkeys(json.dumps(value) for value in values))

    def array(self, item: str) -> str:
        """`Array<...>`."""
        return f"Array<{item}>"

    def mapping(self, value: str) -> str:
        """`Record<string, ...>`."""
        return f"Record<string, {value}>"


def typescript(entries: Iterable[CatalogEntry]) -> str:
    """The text of the module: a client, and for each task a function, as in `emailSendEmail(client, {to: ...})`.

    Args:
        entries: the contracts.

    Raises:
        ValueError: two tasks would have the same function.
    """
    runtime = files("taskclient").joinpath("producers_typescript.ts").read_text(encoding="utf-8")
    parts = [_HEAD + runtime]
    for function, entry in task_functions(entries):
        parts.extend(_producer(entry, function))
    return "\n".join(parts)


def _producer(entry: CatalogEntry, function: str) -> Iterable[str]:
    prefix = camel(function)
    sent = TypeScriptTypes(entry.parameters, prefix, sent=True)
    arguments = sent.named(entry.parameters, "Payload")
    read = TypeScriptTypes(entry.result, f"{prefix}Result", sent=False)
    result = read.of(entry.result, "")
    yield from sent.classes.values()
    yield from read.classes.values()
    yield _FUNCTION.format(
        function=prefix[:1].lower() + prefix[1:],
        arguments=arguments,
        default="" if entry.parameters.get("required") else " = {}",
        result=result,
        name=json.dumps(entry.name),
        queue=json.dumps(entry.queue),
        text=sentence(entry.description).replace("*/", "* /"),
    )


def _property(name: str) -> str:
    return name if _IDENTIFIER.fullmatch(name) else json.dumps(name)
