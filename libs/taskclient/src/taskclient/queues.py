"""How full the queues are, and which of them are paused: counted in Redis, so that no message travels for it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from taskclient.catalog import CatalogEntry
from taskclient.connection import RedisClient
from taskclient.message import DUE_HEADER, PUBLISHED_HEADER

_SAMPLE: Final = 200  # entries that one count looks at; what is more is estimated from them

# Arguments: 1 prefix of the service's keys  2 size of a sample  3, 4 headers that say since when a message waits
#   5 ... queues. Returns {ms since 1970, {depth, ms since 1970 of the oldest or -1, in flight, delayed, parked, paused}
#   for each queue}. No work grows with the backlog: lengths are kept by Redis, and where a service has several queues
#   the entries that its hashes hold for all of them are sampled.
_COUNT_LUA: Final = """
local prefix, sample, published, due = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
local time = redis.call('TIME')
local counts, order = {}, {}
for at = 5, #ARGV do
  order[#order + 1] = ARGV[at]
  counts[ARGV[at]] = {flight = 0, delayed = 0, parked = 0}
end

local function queue_of(list)
  return string.match(list, '^(.-)\\6\\22') or list
end

local function add(kind, list, number)
  local count = #order == 1 and counts[order[1]] or counts[queue_of(list)]
  if count then count[kind] = count[kind] + number end
end

local function spread(kind, total, lists)
  for _, list in ipairs(lists) do add(kind, list, total / #lists) end
end

local function since(raw)
  local latest
  for _, header in ipairs({published, due}) do
    local _, stop = string.find(raw, '"' .. header .. '":', 1, true)
    local at = stop and tonumber(string.match(raw, '^%s*([%d%.eE+-]+)', stop + 1))
    if at and (not latest or at > latest) then latest = at end
  end
  return latest
end

for _, holder in ipairs(redis.call('ZRANGE', prefix .. ':holders', 0, -1)) do
  local key, lists = prefix .. ':inflight:' .. holder, {}
  local total = redis.call('HLEN', key)
  if #order == 1 then
    lists = {order[1]}
  elseif total > 0 then
    local found = redis.call('HRANDFIELD', key, sample, 'WITHVALUES')
    for at = 2, #found, 2 do lists[#lists + 1] = string.match(found[at], '^[^\\n]*') end
  end
  spread('flight', total, lists)
end

local delayed, lists = redis.call('ZCARD', prefix .. ':delayed'), {}
if #order == 1 then
  lists = {order[1]}
elseif delayed > 0 then
  for _, entry in ipairs(redis.call('ZRANDMEMBER', prefix .. ':delayed', sample)) do
    lists[#lists + 1] = string.match(entry, '^[^\\n]*\\n([^\\n]*)')
  end
end
spread('delayed', delayed, lists)

for _, task in ipairs(redis.call('SMEMBERS', prefix .. ':parked')) do
  local key = prefix .. ':parked:' .. task
  local newest = redis.call('LINDEX', key, 0)
  if newest then add('parked', string.match(newest, '^[^\\t\\n]*'), redis.call('LLEN', key)) end
end

local reply = {time[1] * 1000 + math.floor(time[2] / 1000)}
for _, queue in ipairs(order) do
  local depth, oldest = 0, -1
  for _, step in ipairs({'', '\\6\\0223', '\\6\\0226', '\\6\\0229'}) do
    local length = redis.pcall('LLEN', queue .. step)
    if type(length) == 'number' and length > 0 then
      depth = depth + length
      local at = since(redis.call('LINDEX', queue .. step, -1))
      if at and (oldest < 0 or at * 1000 < oldest) then oldest = math.floor(at * 1000) end
    end
  end
  local count, round = counts[queue], function(number) return math.floor(number + 0.5) end
  reply[#reply + 1] = {depth, oldest, round(count.flight), round(count.delayed), round(count.parked),
    redis.call('SISMEMBER', prefix .. ':paused', queue)}
end
return reply
"""


@dataclass(frozen=True, slots=True)
class QueueState:
    """One queue of a service at one moment.

    Args:
        queue: its name.
        service: whose workers work it off, as in `email`.
        depth: messages that wait, all priorities together.
        oldest_seconds: how long the next message to be taken has waited since it was sent or, if that is later, since
            its ETA; of several priorities the longest. None if the queue is empty, or the message does not say.
        in_flight: messages that workers have taken and not finished.
        delayed: messages that wait for their time: an ETA, the pause before a retry, a rate limit.
        parked: messages that wait for a worker that knows their task.
        paused: whether workers take no more messages from it.

    Where a service has several queues, `in_flight` and `delayed` are exact up to 200 messages of a worker or of the
    service, and estimated from 200 of them beyond that. A task's parked messages count for the queue of the newest.
    """

    queue: str
    service: str
    depth: int
    oldest_seconds: float | None
    in_flight: int
    delayed: int
    parked: int
    paused: bool


def paused_key(service: str) -> str:
    """The set of a service's queues from which its workers take no messages."""
    return f"worker:{service}:paused"


def queues_of(entries: Iterable[CatalogEntry]) -> dict[str, list[str]]:
    """The queues of each service that has tasks in the catalog; both sorted by name."""
    found: dict[str, set[str]] = {}
    for entry in entries:
        found.setdefault(entry.service, set()).add(entry.queue)
    return {service: sorted(found[service]) for service in sorted(found)}


def queue_states(client: RedisClient, queues: dict[str, list[str]]) -> list[QueueState]:
    """The queues' states, in one round trip.

    Args:
        client: of the database in which the queues are.
        queues: those of each service, as `queues_of` finds them.

    Raises:
        redis.RedisError: Redis could not be reached, or refused.
    """
    pipe: Any = client.pipeline(transaction=False)
    for service, names in queues.items():
        pipe.eval(_COUNT_LUA, 0, f"worker:{service}", _SAMPLE, PUBLISHED_HEADER, DUE_HEADER, *names)
    states = []
    for (service, names), (now, *counts) in zip(queues.items(), pipe.execute(), strict=True):
        states += [_state(name, service, now, count) for name, count in zip(names, counts, strict=True)]
    return states


def set_paused(client: RedisClient, services: Iterable[str], queue: str, *, paused: bool) -> bool:
    """Pause or resume a queue for the workers of some services; whether that changed anything.

    Raises:
        redis.RedisError: Redis could not be reached, or refused.
    """
    pipe: Any = client.pipeline(transaction=True)
    for service in services:
        (pipe.sadd if paused else pipe.srem)(paused_key(service), queue)
    return any(pipe.execute())


def _state(queue: str, service: str, now: int, count: list[int]) -> QueueState:
    depth, oldest, in_flight, delayed, parked, paused = count
    seconds = None if oldest < 0 else max(0.0, (now - oldest) / 1000)
    return QueueState(queue, service, depth, seconds, in_flight, delayed, parked, bool(paused))
