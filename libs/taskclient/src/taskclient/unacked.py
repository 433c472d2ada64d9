"""What workers of plain Celery had taken from Redis and not finished when they stopped: puts it back into its queues.

Plain Celery keeps it in the hash `unacked` (delivery tag -> JSON of message, exchange, routing key) and the sorted set
`unacked_index`, where only plain workers look for it. These names, and no `global_keyprefix`, are what is supported.
"""

import json
import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import redis

from taskclient.connection import RedisClient

_HASH, _INDEX = "unacked", "unacked_index"
_BATCH = 100
_SEPARATOR: Final = "\x06\x16"  # kombu's, between the parts of a binding, and between a queue and a priority
_PRIORITIES: Final = (9, 6, 3)  # each has its list; what is below 3 is in the list named like the queue

UNREADABLE: Final = "it is not what plain Celery writes"
UNBOUND: Final = "its queue is not known: no queue is bound to its exchange and routing key"
AMBIGUOUS: Final = "more than one queue is bound to its exchange and routing key"
NO_LIST: Final = "its queue is no list in Redis"
OTHER_QUEUE: Final = "it belongs to another queue"
CHANGED: Final = "somebody else has just moved it"

# RPUSH comes first: it is the only write that can be refused, and scripts are not rolled back.
_MOVE_LUA = """
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('RPUSH', KEYS[3], ARGV[3])
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
return 1
"""


@dataclass(frozen=True, slots=True)
class Adopted:
    """What became of the entries.

    Args:
        moved: how many messages went back, or would have, by queue.
        kept: how many stay where they are, by reason, one of this module's words.
    """

    moved: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class _Entry:
    tag: bytes
    value: bytes
    message: bytes
    exchange: str
    routing_key: str
    priority: int


class _Kept(Exception):
    """Why an entry stays where it is."""


def adopt_unacked(client: RedisClient, *, queues: Collection[str] = (), dry_run: bool = False) -> Adopted:
    """Put messages back at the front of their queues, the one that was taken first to the very front.

    Each is moved in one step, so a crash in between loses none and doubles none, and it may be called again. Its bytes
    stay as plain Celery wrote them. Plain workers must have stopped: what they still run would run twice.

    Args:
        client: of the database in which the queues are.
        queues: only of these; empty means of all.
        dry_run: move nothing, only count.

    Raises:
        redis.RedisError: Redis could not be reached, or refused; what was moved by then is moved.
    """
    done = Adopted()
    bindings: dict[str, list[list[str]]] = {}
    for tag, value in _entries(client):
        try:
            entry = _read(tag, value)
            queue = _queue(client, entry, bindings)
            _check(queue, queues)
            if not dry_run:
                _move(client, entry, queue)
            done.moved[queue] += 1
        except _Kept as why:
            done.kept[str(why)] += 1
    return done


def plain_consumers(client: RedisClient) -> list[str]:
    """The addresses of clients that wait as plain workers do: they are to be stopped first.

    A plain worker whose slots are all busy does not wait, so it may be missing; so is every one if Redis does not tell.

    Raises:
        redis.RedisError: Redis could not be reached.
    """
    try:
        found = client.client_list()
    except redis.ResponseError:  # it takes an operator's rights
        return []
    database = str(client.connection_pool.connection_kwargs.get("db") or 0)
    return [one["addr"] for one in found if one.get("cmd") == "brpop" and one.get("db") == database]


def _entries(client: RedisClient) -> Iterator[tuple[bytes, bytes]]:
    """All that are there now, the one that was taken last first: each goes to the very front."""
    taken: dict[bytes, float] = dict(client.zrange(_INDEX, 0, -1, withscores=True))
    tags = sorted(client.hkeys(_HASH), key=lambda tag: taken.get(tag, 0.0), reverse=True)
    for start in range(0, len(tags), _BATCH):
        batch = tags[start : start + _BATCH]
        for tag, value in zip(batch, client.hmget(_HASH, batch), strict=True):
            if value is not None:
                yield tag, value


def _read(tag: bytes, value: bytes) -> _Entry:
    """Read an entry; the message is the part of its text, as encoding it anew might change it."""
    try:
        text = value.decode()
        message, exchange, routing_key = json.loads(text)
        begin = re.compile(r"\s*\[\s*").match(text).end()  # type: ignore[union-attr]  # it is a JSON array
        end = json.JSONDecoder().raw_decode(text, begin)[1]
        priority = message["properties"].get("priority")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise _Kept(UNREADABLE) from error
    if not isinstance(exchange or "", str) or not isinstance(routing_key, str):
        raise _Kept(UNREADABLE)
    return _Entry(tag, value, text[begin:end].encode(), exchange or "", routing_key, _number(priority))


def _number(priority: Any) -> int:
    try:
        return int(priority)
    except (TypeError, ValueError, OverflowError):
        return 0


def _queue(client: RedisClient, entry: _Entry, bindings: dict[str, list[list[str]]]) -> str:
    """The queue that the message came from: what kombu's tables say of its exchange and routing key."""
    if not entry.exchange:
        if entry.routing_key:
            return entry.routing_key
        raise _Kept(UNBOUND)
    if entry.exchange not in bindings:
        members = client.smembers(f"_kombu.binding.{entry.exchange}")
        rows = (member.decode(errors="replace").split(_SEPARATOR) for member in members)
        bindings[entry.exchange] = [row for row in rows if len(row) == 3]  # noqa: PLR2004  - routing key, pattern, queue
    found = {queue for key, pattern, queue in bindings[entry.exchange] if _matches(entry.routing_key, key, pattern)}
    if len(found) != 1:
        raise _Kept(AMBIGUOUS if found else UNBOUND)
    return found.pop()


def _check(queue: str, wanted: Collection[str]) -> None:
    if wanted and queue not in wanted:
        raise _Kept(OTHER_QUEUE)


def _matches(routing_key: str, bound: str, pattern: str) -> bool:
    try:
        return routing_key == bound or bool(pattern and re.match(pattern, routing_key))  # kombu's, of a topic exchange
    except re.error:
        return False


def _move(client: RedisClient, entry: _Entry, queue: str) -> None:
    step = next((priority for priority in _PRIORITIES if entry.priority >= priority), 0)
    target = f"{queue}{_SEPARATOR}{step}" if step else queue
    script = client.register_script(_MOVE_LUA)
    try:
        moved = script(keys=[_HASH, _INDEX, target], args=[entry.tag, entry.value, entry.message])
    except redis.ResponseError as error:
        if "WRONGTYPE" not in str(error):
            raise
        raise _Kept(NO_LIST) from error
    if not moved:
        raise _Kept(CHANGED)
