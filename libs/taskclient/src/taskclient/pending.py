"""All messages of a service that have not been run to their end, read in batches while its workers go on."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final

from taskclient.connection import RedisClient

IN_FLIGHT, PARKED, DELAYED, WAITING = "in flight", "parked", "delayed", "waiting"
PLACES: Final = (IN_FLIGHT, PARKED, DELAYED, WAITING)
_BATCH = 1000  # messages in one answer of Redis, some milliseconds of its time
_STEPS: Final = ("", "\x06\x163", "\x06\x166", "\x06\x169")  # kombu's lists of a queue, one for each priority


@dataclass(frozen=True, slots=True)
class Pending:
    """One message.

    Args:
        place: one of this module's words.
        list: the Redis list that it is in, or came from.
        raw: the message as it is in a list.
    """

    place: str
    list: str
    raw: bytes


def pending_messages(client: RedisClient, service: str, queues: Collection[str]) -> Iterator[Pending]:
    """Every message that is there from the beginning to the end; one that moves meanwhile may come twice.

    The order is that in which messages move, so that none slips past on its way from a list to a worker. One that a
    worker puts off in this very time may be missing, as may one that is sent.

    Args:
        client: of the database in which the queues are.
        service: as in `email`.
        queues: the queues that it works off.

    Raises:
        redis.RedisError: Redis could not be reached, or refused.
    """
    seen: set[tuple[bytes, bytes]] = set()
    yield from in_flight(client, service, seen)
    yield from _parked(client, service)
    yield from _delayed(client, service)
    for queue in sorted(queues):
        for step in _STEPS:
            name = f"{queue}{step}"
            yield from (Pending(WAITING, name, raw) for raw in _entries(client, name))
    yield from in_flight(client, service, seen)


def in_flight(client: RedisClient, service: str, seen: set[tuple[bytes, bytes]] | None = None) -> Iterator[Pending]:
    """The messages that the workers of a service have taken and not finished.

    Args:
        client: of the database in which the queues are.
        service: as in `email`.
        seen: what an earlier call found, which is left out; what this one finds is added.

    Raises:
        redis.RedisError: Redis could not be reached, or refused.
    """
    seen = set() if seen is None else seen
    for holder in client.zrange(f"worker:{service}:holders", 0, -1):
        found: Any = client.hscan_iter(f"worker:{service}:inflight:{holder.decode()}", count=_BATCH)
        for tag, entry in found:
            if (holder, tag) not in seen:
                seen.add((holder, tag))
                yield _split(IN_FLIGHT, entry)


def _parked(client: RedisClient, service: str) -> Iterator[Pending]:
    names = f"worker:{service}:parked"
    for task in sorted(client.smembers(names)):
        for entry in _entries(client, f"{names}:{task.decode()}"):
            head, _, raw = entry.partition(b"\n")
            yield Pending(PARKED, _text(head.partition(b"\t")[0]), raw)


def _delayed(client: RedisClient, service: str) -> Iterator[Pending]:
    # By ZSCAN, which returns all that stay: by rank, those would be skipped that move up when others fall due.
    found: Any = client.zscan_iter(f"worker:{service}:delayed", count=_BATCH)
    for member, _ in found:
        yield _split(DELAYED, member.partition(b"\n")[2])


def _entries(client: RedisClient, name: str) -> Iterator[bytes]:
    """From the left, where messages are pushed: new ones move the others to where they are still read."""
    start = 0
    while batch := client.lrange(name, start, start + _BATCH - 1):
        yield from batch
        start += len(batch)


def _split(place: str, entry: bytes) -> Pending:
    source, _, raw = entry.partition(b"\n")
    return Pending(place, _text(source), raw)


def _text(name: bytes) -> str:
    return name.decode(errors="replace")
