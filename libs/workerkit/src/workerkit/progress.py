"""Reports how far a task is: to whoever asks for its status, to live viewers, and to the log."""

import json
import time
from typing import Any

import redis
import structlog
from celery import Task
from celery.app.task import get_actual_ignore_result  # type: ignore[attr-defined]  # not in its stubs
from celery.backends.redis import RedisBackend

log = structlog.get_logger("task")
STATE = "PROGRESS"
CHANNEL_PREFIX = "progress:"  # on the server of the results, followed by the task's id
_LOG_SECONDS = 10.0
_PAUSE_SECONDS = 5.0  # after Redis did not answer; progress is not worth waiting for it often
# One step, so that a late write never overwrites how the task ended, and one round trip for all readers. The first
# write of a run may overwrite a failure: somebody has sent the task again under its old id.
_WRITE_SCRIPT = """
local key, channel, record, seconds, meta, first = KEYS[1], KEYS[2], ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4] == '1'
local stored = redis.call('get', key)
local status = stored and cjson.decode(stored).status
if status == 'SUCCESS' or (not first and (status == 'FAILURE' or status == 'REVOKED')) then return 0 end
if record ~= '' then
    redis.call('set', key, record)
    if seconds > 0 then redis.call('expire', key, seconds) end
    redis.call('publish', key, record)
end
redis.call('publish', channel, meta)
return 1
"""


class Progress:
    """Reports the progress of one run of a `bind=True` task; make one in the task's body.

    `progress(current, total, message)` may be called for every row of a million: it writes at most `per_second` times,
    the first and the last (`current >= total`) always. Then the task's state is PROGRESS, with `current`, `total` and
    `message` as its result; the same as JSON goes to the pub/sub channel `progress:<task id>`; every 10 s the log gets
    a line. Progress never fails a task: while Redis is away it is only logged.

    Args:
        task: the bound task, `self`.
        per_second: writes per second at most.
    """

    def __init__(self, task: "Task[..., Any]", *, per_second: float = 4.0) -> None:
        request = task.request
        # Another thread would not find the request, so what matters of it is kept.
        self._id = None if request.is_eager else request.id
        self._wants_result = not get_actual_ignore_result(task, request)
        self._backend: Any = task.backend
        self._pause = 1 / per_second
        self._next_write = self._next_log = 0.0
        self._first, self._complete = True, False

    def __call__(self, current: float, total: float, message: str = "") -> None:
        """Report.

        Args:
            current: how much is done.
            total: how much there is to do.
            message: what is being done, in a few words.
        """
        now = time.monotonic()
        complete = current >= total
        if now < self._next_write and (self._complete or not complete):
            return
        last, self._complete = complete and not self._complete, complete
        self._next_write = now + self._pause
        if now >= self._next_log or last:
            self._next_log = now + _LOG_SECONDS
            log.info("progress", current=current, total=total, message=message)
        if self._id and isinstance(self._backend, RedisBackend):
            self._write(self._id, {"current": current, "total": total, "message": message})

    def _write(self, task_id: str, meta: dict[str, Any]) -> None:
        key = self._backend.get_key_for_task(task_id)
        record = _record(task_id, meta) if self._wants_result else ""
        arguments = [record, int(self._backend.expires or 0), json.dumps(meta), int(self._first)]
        try:
            self._backend.client.eval(_WRITE_SCRIPT, 2, key, CHANNEL_PREFIX + task_id, *arguments)
            self._first = False
        except redis.RedisError as error:
            self._next_write = time.monotonic() + _PAUSE_SECONDS
            log.warning("progress could not be written", error=str(error))


def _record(task_id: str, meta: dict[str, Any]) -> str:
    """What Celery would store for this state."""
    absent = dict.fromkeys(("traceback", "date_done"))
    return json.dumps({"status": STATE, "result": meta, "task_id": task_id, "children": [], **absent})
