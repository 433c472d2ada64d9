"""Writes a Python module with a typed function for each task, from the tasks' contracts."""

from collections.abc import Iterable

from taskclient.catalog import CatalogEntry
from taskclient.schema_types import camel, sentence, task_functions
from taskclient.stub_types import StubTypes

_HEAD = '''\
"""Typed calls of tasks by name; `tasks stubs` has written it from their contracts, so do not edit it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal, NotRequired, TypedDict
from uuid import UUID

from typing_extensions import Unpack

from taskclient.client import SendOptions, TaskClient
from taskclient.handle import TaskHandle
'''
_FUNCTION = '''\
def {function}(
    client: TaskClient, options: SendOptions | None = None, /, **payload: Unpack[{arguments}]
) -> TaskHandle[{result}]:
    """{text}"""
    return client.send_payload({name!r}, payload, **(options or {{}}))
'''


def stubs(entries: Iterable[CatalogEntry]) -> str:
    """The text of the module: a function for each task, called `<module>_<task>`, and the types of what it takes.

    A function takes the client, options of `send_payload` as a dictionary, and the payload as keyword arguments;
    those with a default may be left out. It returns a handle whose result has the task's type.

    Args:
        entries: the contracts.

    Raises:
        ValueError: two tasks would have the same function.
    """
    parts = [_HEAD]
    for function, entry in task_functions(entries):
        parts.extend(_stub(entry, function))
    return "\n\n".join(parts)


def _stub(entry: CatalogEntry, function: str) -> Iterable[str]:
    prefix = camel(function)
    sent = StubTypes(entry.parameters, prefix, sent=True)
    arguments = sent.named(entry.parameters, "Payload")
    read = StubTypes(entry.result, f"{prefix}Result", sent=False)
    result = read.of(entry.result, "")
    yield from sent.classes.values()
    yield from read.classes.values()
    yield _FUNCTION.format(
        function=function, arguments=arguments, result=result, name=entry.name, text=_sentence(entry.description)
    )


def _sentence(description: str) -> str:
    """The first line of a docstring, as it may stand in another one."""
    line = sentence(description).replace("\\", "\\\\").replace('"""', "'''")
    return f"{line} " if line.endswith('"') else line
