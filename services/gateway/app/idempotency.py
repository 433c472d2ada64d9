"""The same `Idempotency-Key` gives the same job, also for a caller that never got the first answer."""

import hashlib
import json
from typing import Any, Final

from app.problems import Unprocessable
from taskclient.catalog import DAY, CatalogEntry
from taskclient.connection import RedisClient

_KEY_PREFIX: Final = "gateway:idempotency:"
# Answers {id, 1 if it was sent, 1 if the payload is the same}; whoever comes first leaves the id.
_CLAIM: Final = """
if redis.call('HSETNX', KEYS[1], 'id', ARGV[1]) == 1 then
  redis.call('HSET', KEYS[1], 'payload', ARGV[2])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
local known = redis.call('HMGET', KEYS[1], 'id', 'sent', 'payload')
return {known[1], known[2] and 1 or 0, known[3] == ARGV[2] and 1 or 0}
"""
_SENT: Final = "if redis.call('HGET', KEYS[1], 'id') == ARGV[1] then redis.call('HSET', KEYS[1], 'sent', 1) end"
_FREE: Final = "if redis.call('HGET', KEYS[1], 'id') == ARGV[1] then redis.call('DEL', KEYS[1]) end"


class IdempotencyKey:
    """One key of one task. Who dies between claiming and sending leaves a claim, under which the next one sends.

    The message carries the key too: should two be sent under one id, the worker runs one of them.

    Args:
        client: of the Redis that all gateways share.
        entry: the task.
        key: the caller's key.
        payload: what it is sent with.
    """

    def __init__(self, client: RedisClient, entry: CatalogEntry, key: str, payload: dict[str, Any]) -> None:
        self._redis: Any = client
        self._name = f"{_KEY_PREFIX}{entry.name}:{_digest(key)}"
        self._payload = _digest(json.dumps(payload, sort_keys=True))
        self._milliseconds = int((entry.idempotency_seconds or DAY) * 1000)

    def claim(self, job_id: str) -> tuple[str, bool]:
        """Take the key for a job, unless it is taken.

        Args:
            job_id: the job's id if it is new.

        Returns:
            The id of the job that has the key, and whether that was sent already.

        Raises:
            Unprocessable: the key was used with another payload.
            redis.RedisError: Redis could not be reached, or refused.
        """
        found, sent, same = self._redis.eval(_CLAIM, 1, self._name, job_id, self._payload, self._milliseconds)
        if not same:
            raise Unprocessable("This Idempotency-Key was used with another payload: take a new key for a new call.")
        return found.decode(), bool(sent)

    def sent(self, job_id: str) -> None:
        """Note that the job is in its queue."""
        self._redis.eval(_SENT, 1, self._name, job_id)

    def free(self, job_id: str) -> None:
        """Give the key free, as a call that failed for good does."""
        self._redis.eval(_FREE, 1, self._name, job_id)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
