"""Celery's Redis result backend in one round trip; a task that has finished waits also for a Redis that is full."""

import hashlib
from typing import Any, Final

from celery import states
from celery.backends.redis import RedisBackend
from celery.exceptions import BackendStoreError
from redis import exceptions

# Loading its data, full, a replica until the failover; the stubs describe an older redis-py.
_PASSING = tuple(vars(exceptions)[name] for name in ("BusyLoadingError", "OutOfMemoryError", "ReadOnlyError"))
# A success stays, as Celery has it: a lost worker's late word does not replace what another one has done.
STORE: Final = """
local stored = redis.call('GET', KEYS[1])
local readable, record = pcall(cjson.decode, stored or '')
if readable and type(record) == 'table' and record.status == 'SUCCESS' then return 0 end
if tonumber(ARGV[2]) > 0 then
  redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
else
  redis.call('SET', KEYS[1], ARGV[1])
end
redis.call('PUBLISH', KEYS[1], ARGV[1])
return 1
"""
STORE_SHA: Final = hashlib.sha1(STORE.encode(), usedforsecurity=False).hexdigest()
_Backend: Any = RedisBackend  # the stubs leave out the parts that are not public
_StoreError: Any = BackendStoreError


class ResultBackend(_Backend):  # type: ignore[misc]
    """Repeats what Redis refuses for now, too: else a task that has run would end as a failure."""

    def exception_safe_to_retry(self, exc: Exception) -> bool:
        """Whether storing the result again may succeed."""
        return isinstance(exc, _PASSING) or bool(super().exception_safe_to_retry(exc))

    def _store_result(
        self, task_id: str, result: Any, state: str, traceback: Any = None, request: Any = None, **_: Any
    ) -> Any:
        """As Celery, which first reads what is stored, and then writes."""
        meta = self._get_result_meta(result=result, state=state, traceback=traceback, request=request)
        value = self.encode({**meta, "task_id": task_id})
        if len(value) > self._MAX_STR_VALUE_SIZE:
            raise _StoreError("value too large for Redis backend", state=state, task_id=task_id)
        seconds = self.failure_expires if state == states.FAILURE else self.expires
        self.ensure(self._store, (self.get_key_for_task(task_id), value, int(seconds or 0)))
        return result

    def _store(self, key: bytes, value: str, seconds: int) -> None:
        try:
            self.client.evalsha(STORE_SHA, 1, key, value, seconds)
        except exceptions.NoScriptError:  # nothing was done: this Redis has not seen the script yet
            self.client.eval(STORE, 1, key, value, seconds)
