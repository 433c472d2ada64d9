"""A rate limit of a task over all workers: a token bucket in Redis that books a later start for what is over it."""

import math
import random
import time
from functools import lru_cache
from typing import Any

import redis
import structlog
from celery.utils.time import rate
from redis.backoff import NoBackoff
from redis.retry import Retry

from taskclient.connection import OPTIONS, RedisClient

log = structlog.get_logger("worker")
_KEY_PREFIX = "workerkit:rate:"
_BURST_SECONDS = 0.1  # so much may start at once, or at high rates every message would be put off for milliseconds
GRACE_SECONDS = 0.25  # a message that comes back so late still has its booked start
_KEPT_SECONDS = 3600  # bookings of messages that never came back
_ASK_AGAIN_SECONDS = 1.0  # while Redis is away
_TIMEOUT_SECONDS = 1.0  # the worker's loop stands still for as long

# `next` is when the bucket has its next token, `tail` the first time that nobody has booked; all in microseconds.
# A booked start is as good as made: the messages that come back in time are not held up by any other. Who comes back
# much later, after an outage, gets a token only if one is left, and otherwise a new booking behind all others; so the
# messages of an outage do not start all at once. The first write needs no memory, which lets a full Redis do the rest.
_TAKE = """
local bucket, bookings, id = KEYS[1], KEYS[2], ARGV[1]
local interval, burst, grace, kept = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
redis.call('HDEL', bucket, '-')
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local next = tonumber(redis.call('HGET', bucket, 'next') or 0)
local tail = tonumber(redis.call('HGET', bucket, 'tail') or 0)
local booked = tonumber(redis.call('ZSCORE', bookings, id) or 0)

local function text(number) return string.format('%.0f', number) end

local function start(from)
  redis.call('ZREM', bookings, id)
  redis.call('HSET', bucket, 'next', text(math.max(next, from) + interval))
  redis.call('PEXPIRE', bucket, text(math.max(next, tail, now) / 1000 - now / 1000 + kept / 1000))
  return '0'
end

if booked > now then return text(booked) end
if booked > 0 and now - booked <= grace then return start(booked) end
if booked > 0 and next - burst * interval <= now then return start(now) end
if booked == 0 and tail <= now and next - (burst - 1) * interval <= now then return start(now) end
local slot = math.max(tail, next, now)
local due = math.ceil(slot / 1000) * 1000  -- whole milliseconds, or it would come back a little too early
redis.call('ZADD', bookings, text(due), id)
redis.call('ZREMRANGEBYSCORE', bookings, '-inf', text(now - kept))
redis.call('HSET', bucket, 'tail', text(slot + interval))
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, text((slot - now + kept) / 1000)) end
return text(due)
"""


def per_second(task: str, limit: str) -> float:
    """A limit such as "100/m" as starts per second.

    Raises:
        ValueError: it is no number above 0 with /s, /m or /h; the message names the task.
    """
    try:
        found = float(rate(limit))
    except (ValueError, KeyError, TypeError):
        found = 0.0
    if not 0 < found < math.inf:
        raise ValueError(f'{task}: global_rate_limit is {limit!r}; write it as in "10/s", "100/m" or "500/h"')
    return found


@lru_cache
def connect(url: str) -> RedisClient:
    """A client for the buckets, one a process, that gives up at once: whoever asks is the worker's loop."""
    timeouts = {"socket_timeout": _TIMEOUT_SECONDS, "socket_connect_timeout": _TIMEOUT_SECONDS}
    client: RedisClient = redis.Redis.from_url(url, retry=Retry(NoBackoff(), 0), **{**OPTIONS, **timeouts})
    return client


class RateLimit:
    """The bucket of one task, shared by all workers that ask the same Redis.

    Starts are spaced evenly, with up to a tenth of a second's worth at once.

    Args:
        client: of the Redis that all workers share.
        task: the task's name.
        limit: how often it may start, as in "100/m".

    Raises:
        ValueError: the limit is none.
    """

    def __init__(self, client: RedisClient, task: str, limit: str, *, grace: float = GRACE_SECONDS) -> None:
        starts = per_second(task, limit)
        self._task = task
        self._keys = [f"{_KEY_PREFIX}{task}", f"{_KEY_PREFIX}{task}:booked"]
        self._interval = 1e6 / starts
        self._burst = max(1.0, starts * _BURST_SECONDS)
        self._take: Any = client.register_script(_TAKE)
        self._grace = int(grace * 1e6)
        self._ask_again = 0.0

    def due(self, message_id: str) -> float | None:
        """Ask whether a message may start.

        While Redis cannot be asked, nothing may: running over the limit is what must not happen.

        Args:
            message_id: the id of its task; the message that comes back under it finds the start that it has booked.

        Returns:
            None if it may start now, else the time at which it is to come back, in seconds since 1970.
        """
        if time.monotonic() < self._ask_again:
            return _later()
        arguments = [message_id, self._interval, self._burst, self._grace, int(_KEPT_SECONDS * 1e6)]
        try:
            due = int(self._take(keys=self._keys, args=arguments))
        except redis.RedisError as error:
            log.warning("the rate limit cannot be asked, its messages wait", task=self._task, error=str(error))
            self._ask_again = time.monotonic() + _ASK_AGAIN_SECONDS
            return _later()
        return due / 1e6 if due else None


def _later() -> float:
    return time.time() + random.uniform(1, 2) * _ASK_AGAIN_SECONDS  # noqa: S311  - spreads them, no secret
