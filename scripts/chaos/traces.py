"""Looks for messages everywhere in a Redis database, whatever keys a worker or kombu keeps them in."""

import contextlib
import re
import time
from collections.abc import Callable
from typing import Any, Protocol

import redis

from taskclient.connection import RedisClient

_ID = re.compile(rb'\\*"id\\*": ?\\*"([0-9a-f]{8}-[0-9a-f-]{27})\\*"')  # kombu's `unacked` holds it as escaped JSON

_ATTEMPTS = 10


class Server(Protocol):
    """A server that speaks Redis."""

    def client(self) -> RedisClient:
        """A new client of the broker's database; the caller closes it."""


class Whereabouts:
    """Which tasks' messages a database holds.

    Args:
        contents: pairs of a key and one of its values.
    """

    def __init__(self, contents: list[tuple[bytes, bytes]]) -> None:
        self.raw = [value for _, value in contents]
        self.dead: set[str] = set()
        self.waiting: set[str] = set()
        for key, value in contents:
            if b"headers" in value and b":parked:" not in key:  # what nobody knows waits for nobody here
                (self.dead if b":dead" in key else self.waiting).update(m.decode() for m in _ID.findall(value))

    def holds(self, message: bytes) -> bool:
        """Whether the message is kept byte for byte, whatever stands before it."""
        return any(value.endswith(message) for value in self.raw)


def whereabouts(server: Server) -> Whereabouts:
    """Look through the broker's database; the server may need a moment to answer."""
    for _ in range(_ATTEMPTS):
        with contextlib.suppress(redis.RedisError), server.client() as client:
            return Whereabouts([(key, value) for key in client.scan_iter(count=1000) for value in _values(client, key)])
        time.sleep(1)
    raise RuntimeError("the server does not answer: nobody knows what it holds")


def _values(client: Any, key: bytes) -> list[bytes]:
    readers: dict[bytes, Callable[[], Any]] = {
        b"list": lambda: client.lrange(key, 0, -1),
        b"hash": lambda: client.hvals(key),
        b"zset": lambda: client.zrange(key, 0, -1),
        b"set": lambda: client.smembers(key),
    }
    read = readers.get(client.type(key))
    return list(read()) if read else []
