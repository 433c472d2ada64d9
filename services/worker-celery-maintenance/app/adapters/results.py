"""The result backend in Redis, read and cleaned a few keys at a time, so that nobody else waits."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ValidationError

from app.processors.results_processor import StoredResult
from taskclient.connection import broker_errors, connect
from taskclient.errors import BrokerUnavailable
from taskclient.results import KEY_PREFIX
from workerkit.errors import TransientError

_KEYS = 100  # looked at in one step; a result has up to 64 KiB
_ENDLESS = -1  # Redis' answer to PTTL for a key without an expiry
# In one step, so that a result that was written since it was read stays.
_REMOVE_SCRIPT = """
local stored = redis.call('get', KEYS[1])
if stored and redis.sha1hex(stored) == ARGV[1] then return redis.call('unlink', KEYS[1]) end
return 0
"""


class _Record(BaseModel):
    """The fields of Celery's record that matter here."""

    status: str
    date_done: datetime | None = None


class RedisResults:
    """Celery's results, the keys `celery-task-meta-*`.

    All methods raise `TransientError` when Redis is away or refuses.

    Args:
        url: the result backend's, with its password.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._redis: Any = connect(url)

    def batches(self) -> Iterator[Sequence[StoredResult]]:
        """All results, some at a time; one that is written meanwhile may be missing, or come twice."""
        cursor: int | None = None
        while cursor != 0:
            with self._errors("looking for results"):
                cursor, keys = self._redis.scan(cursor or 0, match=f"{KEY_PREFIX}*", count=_KEYS, _type="string")
                found = self._read(keys)
            yield found

    def remove(self, results: Sequence[StoredResult]) -> int:
        """Remove those that were not written again since they were read; returns how many."""
        with self._errors("removing results"), self._redis.pipeline(transaction=False) as pipeline:
            for result in results:
                pipeline.eval(_REMOVE_SCRIPT, 1, result.key, result.version)
            return sum(pipeline.execute())

    def expire(self, results: Sequence[StoredResult], seconds: int) -> None:
        """Let those go by themselves, after `seconds`, that do not yet."""
        with self._errors("setting an expiry"), self._redis.pipeline(transaction=False) as pipeline:
            for result in results:
                pipeline.expire(result.key, seconds, nx=True)
            pipeline.execute()

    def _read(self, keys: Sequence[bytes]) -> list[StoredResult]:
        with self._redis.pipeline(transaction=False) as pipeline:
            for key in keys:
                pipeline.pttl(key)
                pipeline.get(key)
            answers = iter(pipeline.execute())
        found = zip(keys, answers, answers, strict=True)
        return [_result(key, left, value) for key, left, value in found if value is not None]

    @contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        try:
            with broker_errors(self._url, doing):
                yield
        except BrokerUnavailable as error:
            raise TransientError(str(error)) from error


def _result(key: bytes, left: int, value: bytes) -> StoredResult:
    version = hashlib.sha1(value, usedforsecurity=False).hexdigest()
    known = StoredResult(key=key, version=version, expires=left != _ENDLESS)
    try:
        record = _Record.model_validate_json(value)
    except ValidationError:  # another serializer's, perhaps; what cannot be read is not judged
        return known
    done = record.date_done
    aware = done.replace(tzinfo=UTC) if done is not None and done.tzinfo is None else done
    return StoredResult(known.key, version, known.expires, record.status, aware)
