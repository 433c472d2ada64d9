"""Mutations of a message at every level: its bytes, its JSON, its headers, and the same within its body."""

import base64
import gzip
import json
import pickle
import re
from collections.abc import Callable
from random import Random
from typing import Any
from uuid import UUID

from devstack.malformed.message import nested

_DEEP = "@deep@"  # stands for lists in lists, which the JSON encoder would refuse
_UUID = re.compile(rb"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_MOST_PLACES = 5_000
_HEADERS = (
    "task", "id", "eta", "expires", "timelimit", "retries", "group", "group_index", "root_id", "parent_id", "shadow",
    "lang", "argsrepr", "kwargsrepr", "origin", "stamps", "stamped_headers", "replaced_task_nesting", "ignore_result",
    "compression", "args", "kwargs", "callbacks", "errbacks", "chain", "chord", "called_directly", "is_eager",
    "delivery_info", "headers", "properties", "hostname", "reply_to", "correlation_id", "get", "update",
    "x-correlation-id", "x-published-at",
)  # fmt: skip
_TASKS = (
    *(f"app.tasks.target.{name}" for name in ("note", "place", "total", "pause", "again", "refuse", "bug", "none")),
    *(f"celery.{name}" for name in ("chord_unlock", "backend_cleanup", "map", "starmap", "chunks", "chain", "group")),
    "celery.chord",
    "celery.accumulate",
    "app.tasks.nobody.knows",
)
_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 0.5, 2**31, 2**63, -(2**64), 10**30, 10**400, 1e308, -0.0, float("nan"), float("inf"),
    "", " ", "0", "-1", "null", "\x00", "\ud800", "\udfff\ud800", "%s%n%(x)s", "{0}{x!r}", "\r\n\x1b[2J", "x" * 5_000,
    "\u202e\u00e9\U0001f600", "__class__", "application/x-python-serialize", "application/json", "utf-8", "utf-16",
    "base64", "gzip", "bzip2", "zlib", "punycode", "unicode_escape", "idna", "bz2_codec", "target", "1\n2",
    "2999-01-01", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2020-01-01T00:00:00+00:00",
    [], {}, [[]], [None], [{}], [1, 2, 3], [None, None], ["a", 1], [1e308, -1], {"": None}, {"a": {"b": []}}, _DEEP,
)  # fmt: skip


class Mutator:
    """Makes messages that nobody would send from real ones; the same seed gives the same mutations.

    Args:
        random: where chance comes from.
        donors: gives another real message, of which a part may be taken.
    """

    def __init__(self, random: Random, donors: Callable[[], bytes]) -> None:
        self._random = random
        self._donors = donors

    def mutate(self, raw: bytes) -> bytes:
        """One to four mutations, of any level."""
        for _ in range(self._random.choice((1, 1, 1, 1, 2, 2, 3, 4))):
            level = self._random.choices((self._bytes, self._tree, self._body, self._header), weights=(1, 4, 4, 6))[0]
            raw = level(raw)
        return raw

    def _bytes(self, raw: bytes) -> bytes:
        random = self._random
        at, to = sorted(random.randrange(len(raw) + 1) for _ in range(2))
        to = min(to, at + random.choice((1, 4, 40, 4_000)))
        junk = random.choice(
            (b"\x00", b"\xff", b'"', b"{", b"}", b"[", b"]", b",", b"\\", b"\\ud800", b"1e999", random.randbytes(8))
        )
        return random.choice(
            (
                raw[:at] + junk + raw[at:],
                raw[:at] + junk + raw[to:],
                raw[:at] + raw[to:],
                raw[:to] + raw[at:],
                raw[:at],
                raw[at:],
                raw + self._donors(),
                random.choice((gzip.compress(raw, mtime=0), raw[:at] + b" " + raw[at:])),
                raw[:at] + bytes(byte ^ (1 << random.randrange(8)) for byte in raw[at:to]) + raw[to:],
            )
        )

    def _tree(self, raw: bytes) -> bytes:
        value = _loads(raw)
        return self._bytes(raw) if value is None else self._dumps(self._changed(value))

    def _body(self, raw: bytes) -> bytes:
        message = _loads(raw)
        if not isinstance(message, dict) or not isinstance(message.get("body"), str):
            return self._tree(raw)
        try:
            body = base64.b64decode(message["body"])
        except ValueError:
            return self._tree(raw)
        level = self._random.choices((self._tree, self._bytes), weights=(4, 1))[0]
        return self._dumps(message | {"body": base64.b64encode(level(body)).decode()})

    def _header(self, raw: bytes) -> bytes:
        message = _loads(raw)
        if not isinstance(message, dict) or not isinstance(message.get("headers"), dict):
            return self._tree(raw)
        headers = message["headers"]
        name = self._random.choice((*_HEADERS, *headers))
        headers[name] = self._random.choice((self._task, self._value))() if name == "task" else self._value()
        return self._dumps(message)

    def _changed(self, value: Any) -> Any:
        """The JSON with one node replaced, deleted, duplicated, inserted, moved or wrapped."""
        places = _places(value)
        if not places:
            return self._value()
        container, key = self._random.choice(places)
        operation = self._random.choice(
            (self._replace, self._replace, self._delete, self._duplicate, self._insert, self._swap)
        )
        operation(container, key, places)
        return value

    def _replace(self, container: Any, key: Any, _: Any) -> None:
        old = container[key]
        other = [lambda: [old], lambda: {"a": old}, lambda: json.dumps(old), self._value, self._value, self._value]
        container[key] = self._random.choice(other)()

    def _delete(self, container: Any, key: Any, _: Any) -> None:
        del container[key]

    def _duplicate(self, container: Any, key: Any, _: Any) -> None:
        if isinstance(container, list):
            container[key:key] = [container[key]] * self._random.choice((1, 2, 500))
        else:
            container[self._random.choice((*_HEADERS, *container))] = container[key]

    def _insert(self, container: Any, key: Any, _: Any) -> None:
        if isinstance(container, list):
            container.insert(key, self._value())
        else:
            container[self._random.choice((*_HEADERS, "", "\x00", "\ud800", "x" * 300))] = self._value()

    def _swap(self, container: Any, key: Any, places: list[tuple[Any, Any]]) -> None:
        other, place = self._random.choice(places)
        container[key] = _copied(other[place])

    def _value(self) -> Any:
        makers = (self._listed, self._part_of_another, self._id, self._task)
        return self._random.choices(makers, weights=(16, 2, 1, 1))[0]()

    def _listed(self) -> Any:
        return _copied(self._random.choice(_VALUES))

    def _id(self) -> str:
        return str(UUID(int=self._random.getrandbits(128)))

    def _task(self) -> str:
        return self._random.choice(_TASKS)

    def _part_of_another(self) -> Any:
        container, key = self._random.choice(_places(json.loads(self._donors())))
        return container[key]

    def _dumps(self, value: Any) -> bytes:
        try:
            text = json.dumps(value)
        except (ValueError, RecursionError):  # an integer of too many digits, or too deep
            text = "[" * 100
        while f'"{_DEEP}"' in text:
            text = text.replace(f'"{_DEEP}"', nested(self._random.choice((50, 200, 500, 900, 990, 5_000))), 1)
        return text.encode()


def _loads(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


def _copied(value: Any) -> Any:
    try:
        return pickle.loads(pickle.dumps(value))  # noqa: S301  - our own
    except RecursionError:
        return []


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every place in a tree of JSON, as its container and its key there."""
    found: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting and len(found) < _MOST_PLACES:
        node = waiting.pop()
        keys = list(node) if isinstance(node, dict) else list(range(len(node))) if isinstance(node, list) else []
        found += [(node, key) for key in keys]
        waiting += [node[key] for key in keys]
    return found


def renewed(raw: bytes, random: Random) -> bytes:
    """The same message with new ids, in its headers and in its body, so that it can be told from all others."""
    new: dict[bytes, bytes] = {}

    def other(found: re.Match[bytes]) -> bytes:
        return new.setdefault(found[0], str(UUID(int=random.getrandbits(128))).encode())

    message = json.loads(_UUID.sub(other, raw))
    if "compression" not in message["headers"]:
        body = _UUID.sub(other, base64.b64decode(message["body"]))
        message["body"] = base64.b64encode(body).decode()
    return json.dumps(message).encode()
