"""All malformed messages: what a worker must survive, each kept, parked or run."""

from collections.abc import Mapping
from typing import Any

from devstack.malformed.message import NOTE, QUEUE, Maker, Malformed
from devstack.malformed.of_body import of_arguments, of_body, of_compression, of_workflow
from devstack.malformed.of_bytes import of_bytes, of_json
from devstack.malformed.of_envelope import of_content, of_envelope, of_properties
from devstack.malformed.of_headers import of_headers, of_id, of_protocol_1, of_task, of_times

_SMALL_BYTES = 64 * 1024
_PARTS = (
    of_bytes,
    of_json,
    of_envelope,
    of_properties,
    of_content,
    of_body,
    of_arguments,
    of_workflow,
    of_compression,
    of_task,
    of_id,
    of_headers,
    of_times,
    of_protocol_1,
)


def corpus(task: str = NOTE, payload: Mapping[str, Any] | None = None, queue: str = QUEUE) -> list[Malformed]:
    """Make all malformed messages, with new task ids.

    Args:
        task: a task that the worker under test knows; most messages are spoilt calls of it.
        payload: a payload that fits the task; default: that of the worker `devstack.malformed.target`.
        queue: the queue they will be pushed to.

    Returns:
        Messages with distinct names.
    """
    make = Maker(task, payload or {"token": "from the corpus"}, queue)
    return [message for part in _PARTS for message in part(make)]


def small(messages: list[Malformed]) -> list[Malformed]:
    """Those of up to 64 KiB, to push many thousands."""
    return [message for message in messages if len(message.raw) <= _SMALL_BYTES]
