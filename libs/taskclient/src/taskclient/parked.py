"""Parked messages: they name a task that no worker of the service knows, and wait until one does."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from taskclient.connection import RedisClient

_BATCH = 100  # messages in one script, which blocks Redis while it runs

# The list of parked messages is pushed at the left, so the right end is the oldest one. A message is pushed to its own
# list before it leaves this one, because scripts are not rolled back; a wrong list ends the loop and keeps the message.
_OFFER_LUA = """
local parked, names = KEYS[1], KEYS[2]
local moved = 0
while moved < tonumber(ARGV[2]) do
  local entry = redis.call('LINDEX', parked, -1)
  if not entry then break end
  local cut = string.find(entry, '\\n', 1, true)
  redis.call('LPUSH', string.sub(entry, 1, cut - 1), string.sub(entry, cut + 1))
  redis.call('RPOP', parked)
  moved = moved + 1
end
if redis.call('LLEN', parked) == 0 then redis.call('SREM', names, ARGV[1]) end
return moved
"""

_REMOVE_LUA = """
redis.call('LREM', KEYS[1], -1, ARGV[1])
if redis.call('LLEN', KEYS[1]) == 0 then redis.call('SREM', KEYS[2], ARGV[2]) end
"""

_DISCARD_LUA = """
local number = redis.call('LLEN', KEYS[1])
redis.call('DEL', KEYS[1])
redis.call('SREM', KEYS[2], ARGV[1])
return number
"""


@dataclass(frozen=True, slots=True)
class ParkedMessage:
    """One parked message.

    Args:
        service: whose worker parked it.
        task: the name that no worker knows.
        list: the Redis list that it came from.
        raw: the message.
    """

    service: str
    task: str
    list: str
    raw: bytes


def parked_counts(client: RedisClient, service: str) -> dict[str, int]:
    """How many messages are parked, by task name.

    Raises:
        redis.RedisError: Redis could not be reached, or refused.
    """
    names = sorted(name.decode() for name in client.smembers(_names(service)))
    pipe: Any = client.pipeline(transaction=False)
    for name in names:
        pipe.llen(_messages(service, name))
    return {name: number for name, number in zip(names, pipe.execute(), strict=True) if number}


def parked_messages(client: RedisClient, service: str, task: str) -> Iterator[ParkedMessage]:
    """The parked messages of one task, the oldest first, read in batches; one that leaves meanwhile may be missing.

    Raises:
        redis.RedisError: Redis could not be reached, or refused.
    """
    end = -1
    while entries := client.lrange(_messages(service, task), end - _BATCH + 1, end):
        for entry in reversed(entries):
            source, _, raw = entry.partition(b"\n")
            yield ParkedMessage(service, task, source.decode(errors="replace"), raw)
        end -= _BATCH


def offer(client: RedisClient, service: str, task: str, publish: Callable[[str, bytes], None] | None = None) -> int:
    """Put all parked messages of a task back into their queues, in the order in which they were parked.

    A crash in between loses none, and doubles none but the one that was just published.

    Args:
        client: of the broker's database, or of the Redis beside RabbitMQ.
        service: whose worker parked them.
        task: the tasks' name.
        publish: sends a message to a queue of RabbitMQ and returns when that has it; None if the queues are in Redis.

    Returns:
        How many there were.

    Raises:
        redis.RedisError: Redis could not be reached, or refused; what had been put back by then is back.
    """
    left, moved = client.llen(_messages(service, task)), 0
    while left > moved:  # no more than there were: a worker that still does not know the name parks them again
        if publish is None:
            batch = _move(client, service, task, min(_BATCH, left - moved))
        else:
            batch = _publish_one(client, service, task, publish)
        moved += batch
        if not batch:
            break
    return moved


def _move(client: RedisClient, service: str, task: str, most: int) -> int:
    script = client.register_script(_OFFER_LUA)
    return int(script(keys=[_messages(service, task), _names(service)], args=[task, most]))


def _publish_one(client: RedisClient, service: str, task: str, publish: Callable[[str, bytes], None]) -> int:
    entry = client.lindex(_messages(service, task), -1)
    if entry is None:
        return 0
    queue, _, raw = entry.partition(b"\n")
    publish(queue.decode(), raw)
    client.register_script(_REMOVE_LUA)(keys=[_messages(service, task), _names(service)], args=[entry, task])
    return 1


def discard_parked(client: RedisClient, service: str, task: str) -> int:
    """Remove all parked messages of a task for good.

    Returns:
        How many there were.

    Raises:
        redis.RedisError: Redis could not be reached, or refused.
    """
    return int(client.register_script(_DISCARD_LUA)(keys=[_messages(service, task), _names(service)], args=[task]))


def _names(service: str) -> str:
    return f"worker:{service}:parked"


def _messages(service: str, task: str) -> str:
    return f"worker:{service}:parked:{task}"
