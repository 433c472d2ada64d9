"""Pushes messages to queues, and refuses them when a queue or Redis is too full to take more."""

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis

from taskclient.connection import RedisClient, call_once
from taskclient.errors import BrokerFull, QueueFull

MAX_BACKLOG = 1_000_000  # messages; about 1 GB of Redis' memory at 1 KB each
MAX_MEMORY = 0.8  # of maxmemory; the rest is for what workers must write: results, retries, dead letters
LOOK_SECONDS = 1.0
MOST_AT_ONCE = 500  # messages: Lua's unpack is limited, and Redis does nothing else meanwhile

# One step, so that nothing is pushed that was refused. An ACL may forbid INFO (then the memory is not looked at) and
# the lists of other priorities (then they are not counted), hence pcall; what LPUSH says is passed on as it is.
PUSH = r"""
local max_backlog, max_memory = tonumber(ARGV[1]), tonumber(ARGV[2])
if max_memory > 0 then
  local info = redis.pcall('INFO', 'memory')
  if type(info) == 'string' then
    local used, limit = tonumber(info:match('used_memory:(%d+)')), tonumber(info:match('maxmemory:(%d+)'))
    if used and limit and limit > 0 and used > limit * max_memory then return {'memory', used, limit} end
  end
end
if max_backlog > 0 then
  local backlog = redis.call('LLEN', KEYS[1])
  for _, priority in ipairs({'3', '6', '9'}) do
    local length = redis.pcall('LLEN', KEYS[1] .. '\6\22' .. priority)
    if type(length) == 'number' then backlog = backlog + length end
  end
  if backlog + #ARGV - 2 > max_backlog then return {'backlog', backlog} end
end
return redis.pcall('LPUSH', KEYS[1], unpack(ARGV, 3))
"""
PUSH_SHA = hashlib.sha1(PUSH.encode(), usedforsecurity=False).hexdigest()


def max_backlog_from_environment() -> int:
    """The limit that TASK_MAX_BACKLOG names, or 1,000,000 messages; 0 means none.

    Raises:
        ValueError: it is no whole number, or negative.
    """
    text = os.environ.get("TASK_MAX_BACKLOG") or str(MAX_BACKLOG)
    if not text.isdecimal():
        raise ValueError(f"TASK_MAX_BACKLOG is {text!r}, it must be a whole number of messages, or 0 for no limit.")
    return int(text)


class Limits:
    """When a push is refused; knows what Redis answered last, and asks nobody.

    Args:
        max_backlog: most messages that may wait in one queue; 0 means any number.
        max_memory: most of Redis' `maxmemory` that may be in use, as a share of 1; 0 does not look. Redis is asked
            once a second, together with a push. Where it has no maxmemory, or an ACL forbids INFO, there is no limit.
    """

    def __init__(self, max_backlog: int, max_memory: float) -> None:
        if max_backlog < 0 or not 0 <= max_memory <= 1:
            raise ValueError(f"max_backlog={max_backlog} must not be negative, max_memory={max_memory} be from 0 to 1.")
        self.max_backlog = max_backlog
        self._max_memory = max_memory
        self._next_look = 0.0
        self._full: str | None = None  # what the last look at the memory found, until the next one

    def memory_to_look_at(self) -> float:
        """The limit if it is time to look, 0 if not.

        Raises:
            BrokerFull: the last look found Redis full, and it is not time to look again.
        """
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + LOOK_SECONDS
            return self._max_memory
        if self._full is not None:
            raise BrokerFull(self._full)
        return 0

    def answered(self, queue: str, answer: Any, max_memory: float) -> None:
        """Take what Redis answered to a push.

        Raises:
            QueueFull: it refused, as for `Producer.push`.
            BrokerFull: likewise.
        """
        if max_memory:
            self._full = _full(answer, max_memory)
        match answer:
            case [b"memory", *_]:
                raise BrokerFull(self._full)
            case [b"backlog", backlog]:
                raise QueueFull(
                    f"Nothing was sent: {backlog:,} messages wait in queue {queue}, and its limit is "
                    f"{self.max_backlog:,}. Send again when its workers have caught up, or start more of them; "
                    "TASK_MAX_BACKLOG (max_backlog) sets the limit."
                )

    @contextmanager
    def failures(self) -> Iterator[None]:
        """Around a push: one that failed has found out nothing.

        Raises:
            BrokerFull: Redis' memory is used up.
        """
        try:
            yield
        except redis.OutOfMemoryError as error:  # type: ignore[attr-defined]  # not in the stubs
            raise BrokerFull(_memory_advice("Redis has used up its maxmemory")) from error
        except redis.RedisError:
            self._next_look = 0.0
            raise


class Producer:
    """Pushes messages within limits; threads may share it.

    Args:
        client: of the broker's database.
        limits: when a push is refused.
    """

    def __init__(self, client: RedisClient, limits: Limits) -> None:
        self._client, self._limits = client, limits

    def push(self, queue: str, *messages: bytes) -> None:
        """Push all messages or none, in one round trip that is never repeated.

        Args:
            queue: the list.
            messages: at most `MOST_AT_ONCE`.

        Raises:
            QueueFull: the queue's backlog is at its limit, or these messages would bring it above; nothing was pushed.
            BrokerFull: Redis' memory is above its limit, or used up; nothing was pushed.
            redis.RedisError: no connection (nothing was sent), a refusal (nothing was pushed), or `ReplyLost`.
        """
        max_memory = self._limits.memory_to_look_at()
        with self._limits.failures():
            answer = self._call(1, queue, self._limits.max_backlog, max_memory, *messages)
        self._limits.answered(queue, answer, max_memory)

    def _call(self, *arguments: Any) -> Any:
        try:
            return call_once(self._client, "EVALSHA", PUSH_SHA, *arguments)
        except redis.exceptions.NoScriptError:  # nothing was done: this Redis has not seen the script yet
            return call_once(self._client, "EVAL", PUSH, *arguments)


def _full(answer: Any, max_memory: float) -> str | None:
    match answer:
        case [b"memory", used, limit]:
            share = f"{used / limit:.0%} of its maxmemory of {limit:,}"
            return _memory_advice(f"Redis uses {used:,} bytes, {share}; producers may fill {max_memory:.0%}")
    return None


def _memory_advice(found: str) -> str:
    return f"Nothing was sent: {found}. Send again when the workers have caught up; free memory or raise maxmemory."
