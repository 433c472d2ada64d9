"""A malformed message with what must become of it, and a maker that starts from a good message and spoils one thing."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import uuid4

from taskclient.message import build_message

QUEUE = "target"
NOTE = "app.tasks.target.note"
MARK = "x-mark"  # a header that tells a message from others whose task ids it may have


class Expected(StrEnum):
    """What must become of a message; in every case it is found again and the worker goes on."""

    KEPT = "dead letter, byte for byte"
    PARKED = "parked until somebody knows its task"
    RUNS = "its task runs: odd, but valid"
    MAY_RUN = "runs, or is kept, parked, delayed or revoked"


@dataclass(frozen=True)
class Malformed:
    """One message.

    Args:
        name: what is wrong with it.
        raw: what is pushed to the queue.
        expected: what must become of it.
    """

    name: str
    raw: bytes
    expected: Expected = Expected.KEPT


class Maker:
    """Makes messages from a good one; each has a task id of its own.

    Args:
        task: the good message's task.
        payload: the good message's payload.
        queue: the good message's queue.
    """

    def __init__(self, task: str, payload: Mapping[str, Any], queue: str) -> None:
        self.task = task
        self.payload = dict(payload)
        self.queue = queue

    def good(self) -> bytes:
        """A message with nothing wrong."""
        return build_message(self.task, self.payload, queue=self.queue, task_id=str(uuid4()))

    def envelope(self, **changes: Any) -> bytes:
        """Other values in the outermost object."""
        return dumps({**json.loads(self.good()), **changes})

    def without(self, *path: str) -> bytes:
        """One key less, at the path from the outermost object."""
        tree = json.loads(self.good())
        node = tree
        for key in path[:-1]:
            node = node[key]
        del node[path[-1]]
        return dumps(tree)

    def headers(self, **changes: Any) -> bytes:
        """Other headers; an underscore at the end of a name is dropped, other names come as one dictionary `also`."""
        tree = json.loads(self.good())
        tree["headers"].update({name.rstrip("_"): value for name, value in changes.items()})
        return dumps(tree)

    def header(self, name: str, value: Any) -> bytes:
        """One other header, of any name."""
        tree = json.loads(self.good())
        tree["headers"][name] = value
        return dumps(tree)

    def properties(self, **changes: Any) -> bytes:
        """Other properties."""
        tree = json.loads(self.good())
        tree["properties"].update(changes)
        return dumps(tree)

    def body(self, body: Any) -> bytes:
        """Another body, given as JSON value or as bytes, in base64 as kombu has it."""
        data = body if isinstance(body, bytes) else dumps(body)
        return self.envelope(body=base64.b64encode(data).decode())

    def payload_of(self, args: Any, kwargs: Any) -> bytes:
        """Other arguments."""
        return self.body([args, kwargs, dict.fromkeys(("callbacks", "errbacks", "chain", "chord"))])

    def embed(self, **changes: Any) -> bytes:
        """Other workflow options: callbacks, errbacks, chain, chord."""
        return self.body(
            [[], self.payload, {"callbacks": None, "errbacks": None, "chain": None, "chord": None} | changes]
        )

    def compressed(self, data: bytes, compression: str) -> bytes:
        """A body that says to be compressed."""
        tree = json.loads(self.good())
        tree["headers"]["compression"] = compression
        return dumps(tree | {"body": base64.b64encode(data).decode()})

    def good_body(self) -> bytes:
        """The good message's body, as JSON."""
        return base64.b64decode(json.loads(self.good())["body"])

    def protocol_1(self, **changes: Any) -> bytes:
        """A message of Celery's first protocol, which has everything in its body."""
        body = {"task": self.task, "id": str(uuid4()), "args": [], "kwargs": self.payload, "retries": 0, "utc": True}
        tree = json.loads(self.good())
        tree["headers"] = {}
        return dumps(tree | {"body": base64.b64encode(dumps(body | changes)).decode()})

    def protocol_1_with(self, header: str, value: Any) -> bytes:
        """A message of the first protocol that has a header of the second."""
        tree = json.loads(self.protocol_1())
        tree["headers"][header] = value
        return dumps(tree)


def dumps(value: Any) -> bytes:
    """JSON; lone surrogates are escaped, and NaN and infinities are written as Python does."""
    return json.dumps(value).encode()


def nested(depth: int, opening: str = "[", closing: str = "]") -> str:
    """JSON text of lists in lists; `opening` may be `{"a":` for objects."""
    inner = "0" if ":" in opening else ""
    return opening * depth + inner + closing * depth
