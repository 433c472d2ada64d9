"""What the workers have taken and not finished: the first of it, without the messages' payloads."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from taskclient.connection import RedisClient
from taskclient.letters import SERVICES_KEY
from taskclient.message import DUE_HEADER, PUBLISHED_HEADER

# Arguments: 1 prefix of the service's keys  2 how many at most. Returns {s since 1970, {holder, message} ...}.
# A body in base64 holds no quote, so one pattern cuts it out; a message that is long all the same is left out.
_TAKEN_LUA: Final = """
local prefix, left = ARGV[1], tonumber(ARGV[2])
local time = redis.call('TIME')
local reply = {tostring(time[1])}
for _, holder in ipairs(redis.call('ZRANGE', prefix .. ':holders', 0, -1)) do
  if left <= 0 then break end
  local found = redis.call('HSCAN', prefix .. ':inflight:' .. holder, 0, 'COUNT', left)[2]
  for at = 2, math.min(#found, 2 * left), 2 do
    local raw = string.gsub(string.match(found[at], '\\n(.*)$') or '', '"body": ?"[^"]*"', '"body": ""', 1)
    if #raw < 65536 then reply[#reply + 1] = {holder, raw} end
  end
  left = left - #found / 2
end
return reply
"""


@dataclass(frozen=True, slots=True)
class RunningTask:
    """A task that a worker has taken: it runs, or is about to.

    Args:
        service: whose worker, as in `email`.
        worker: the worker's name in Redis, as `Worker.id`.
        id: the task's id.
        task: its name.
        seconds: since it was sent or, if that is later, since its ETA; None if the message does not say.
    """

    service: str
    worker: str
    id: str
    task: str
    seconds: float | None


def running_tasks(client: RedisClient, *, most: int) -> list[RunningTask]:
    """Tasks that workers have taken, of all services, in two round trips; none if the broker is RabbitMQ.

    Args:
        client: of the database in which the queues are.
        most: how many of each service are looked at.

    Raises:
        redis.RedisError: Redis could not be reached, or refused.
    """
    services = sorted(name.decode() for name in client.smembers(SERVICES_KEY))
    pipe: Any = client.pipeline(transaction=False)
    for service in services:
        pipe.eval(_TAKEN_LUA, 0, f"worker:{service}", most)
    found = []
    for service, (now, *taken) in zip(services, pipe.execute(), strict=True):
        tasks = (_task(service, holder.decode(), raw, int(now)) for holder, raw in taken)
        found += [task for task in tasks if task]
    return found


def _task(service: str, worker: str, raw: bytes, now: int) -> RunningTask | None:
    """None if the message cannot be read; the worker makes a dead letter of it."""
    try:
        headers = json.loads(raw)["headers"]
        task_id, name = headers["id"], headers["task"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return RunningTask(service, worker, str(task_id), str(name), _since(headers, now))


def _since(headers: Mapping[str, Any], now: int) -> float | None:
    times: Iterable[Any] = (headers.get(PUBLISHED_HEADER), headers.get(DUE_HEADER))
    known = [time for time in times if isinstance(time, int | float)]
    return max(0.0, now - max(known)) if known else None
