"""Parked messages: they name a task that no worker of the service knows, and wait until one does."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from taskclient.connection import RedisClient

_BATCH = 100  # messages in one script, which blocks Redis while it runs

# Lua functions for every script that parks or moves parked messages. The list of a task is pushed at the left, so its
# right end is the oldest. An entry is "<list>\t<ms since 1970, when it was parked>\n<message>"; one without a time
# counts from when it is seen. A message is in its new place before it leaves this one, because scripts
# are not rolled back; what raises in between ends the loop and keeps it.
PARKED_LUA: Final = """
local function parked_entry(list, now, raw)
  return list .. '\\t' .. string.format('%d', now) .. '\\n' .. raw
end

local function read_parked(entry)
  local cut = string.find(entry, '\\n', 1, true)
  local head, raw = string.sub(entry, 1, cut - 1), string.sub(entry, cut + 1)
  local list, since = string.match(head, '^(.*)\\t(%d+)$')
  return list or head, raw, tonumber(since)
end

-- Calls move(list, raw, since) for the oldest messages, at most `most`, as long as it does not return false.
local function unpark(names, task, most, move)
  local parked, moved = names .. ':' .. task, 0
  while moved < most do
    local entry = redis.call('LINDEX', parked, -1)
    if not entry or move(read_parked(entry)) == false then break end
    redis.call('RPOP', parked)
    moved = moved + 1
  end
  if redis.call('EXISTS', parked) == 0 then redis.call('SREM', names, task) end
  return moved
end
"""

_OFFER_LUA = (
    PARKED_LUA
    + """
return unpark(KEYS[1], ARGV[1], tonumber(ARGV[2]), function(list, raw) redis.call('LPUSH', list, raw) end)
"""
)

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
        since: when it was parked, seconds since 1970; None if its entry does not say so.
    """

    service: str
    task: str
    list: str
    raw: bytes
    since: float | None = None


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
            source, raw, since = _read(entry)
            yield ParkedMessage(service, task, source, raw, since)
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
    return int(script(keys=[_names(service), _messages(service, task)], args=[task, most]))


def _publish_one(client: RedisClient, service: str, task: str, publish: Callable[[str, bytes], None]) -> int:
    entry = client.lindex(_messages(service, task), -1)
    if entry is None:
        return 0
    queue, raw, _ = _read(entry)
    publish(queue, raw)
    _remove(client, service, task, entry)
    return 1


def expire_parked(
    client: RedisClient, service: str, task: str, before: float, bury: Callable[[str, bytes], None]
) -> int:
    """Take away the messages of a task that were parked long ago; what a worker on RabbitMQ does every minute.

    Args:
        client: of the Redis beside RabbitMQ.
        service: whose worker parked them.
        task: the tasks' name.
        before: those that were parked before this time, seconds since 1970.
        bury: keeps one, by its queue and its bytes, and returns when it is kept.

    Returns:
        How many there were.

    Raises:
        redis.RedisError: Redis could not be reached, or refused; the rest stays parked.
    """
    for count in range(_BATCH):
        entry = client.lindex(_messages(service, task), -1)
        queue, raw, since = _read(entry) if entry is not None else ("", b"", None)
        if entry is None or since is None or since >= before:
            return count
        bury(queue, raw)
        _remove(client, service, task, entry)
    return _BATCH


def _remove(client: RedisClient, service: str, task: str, entry: bytes) -> None:
    client.register_script(_REMOVE_LUA)(keys=[_messages(service, task), _names(service)], args=[entry, task])


def discard_parked(client: RedisClient, service: str, task: str) -> int:
    """Remove all parked messages of a task for good.

    Returns:
        How many there were.

    Raises:
        redis.RedisError: Redis could not be reached, or refused.
    """
    return int(client.register_script(_DISCARD_LUA)(keys=[_messages(service, task), _names(service)], args=[task]))


def _read(entry: bytes) -> tuple[str, bytes, float | None]:
    """The list, the message, and when it was parked."""
    head, _, raw = entry.partition(b"\n")
    source, _, since = head.rpartition(b"\t")
    if source and since.isdigit():
        return source.decode(errors="replace"), raw, int(since) / 1000
    return head.decode(errors="replace"), raw, None


def _names(service: str) -> str:
    return f"worker:{service}:parked"


def _messages(service: str, task: str) -> str:
    return f"worker:{service}:parked:{task}"
