"""Reads the results that Celery workers store in Redis, and waits for them without asking again and again."""

import json
import math
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import redis

from taskclient.chords import CHORD_SECONDS, chord_sizes, reopen_chord
from taskclient.connection import broker_errors, connect
from taskclient.dead_results import forget_failures, stored_failures
from taskclient.errors import TaskClientError, TaskTimeout

KEY_PREFIX = "celery-task-meta-"  # of the key, and of the channel on which the worker announces it
FAILED = frozenset({"FAILURE", "REVOKED"})
FINISHED = FAILED | {"SUCCESS"}
LOOK_AGAIN = 5.0  # seconds; Redis does not repeat an announcement that a broken connection swallowed
RECONNECT_PAUSE = 0.3  # seconds

_REVOKED_SECONDS = 7 * 86_400  # how long workers keep failures
# One step, so that nothing is written over an end that came in between. Returns the status that was there.
_REVOKE_LUA = """
local stored = redis.call('GET', KEYS[1])
local readable, record = pcall(cjson.decode, stored or '{}')
local status = readable and type(record) == 'table' and record.status or 'PENDING'
if status == 'SUCCESS' or status == 'FAILURE' or status == 'REVOKED' then return status end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
redis.call('PUBLISH', KEYS[1], ARGV[1])
return status
"""

AWAY = (redis.ConnectionError, redis.TimeoutError)
REFUSED = (
    redis.AuthenticationError,
    redis.exceptions.AuthorizationError,
)  # both are ConnectionErrors; waiting is vain


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """What is stored about a task; `PENDING` means that nothing is: it waits, or is unknown, or was forgotten."""

    task_id: str
    status: str = "PENDING"
    result: Any = None
    traceback: str | None = None
    date_done: str | None = None

    @property
    def finished(self) -> bool:
        """Whether the status is final."""
        return self.status in FINISHED

    @property
    def failed(self) -> bool:
        """Whether the task ended without a result."""
        return self.status in FAILED


class ResultStore:
    """The database of the results.

    Args:
        url: as in `redis://host:6379/1`, the workers' `result_backend`.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._redis = connect(url)

    def close(self) -> None:
        """Close all connections."""
        self._redis.close()

    def get(self, task_id: str) -> TaskRecord:
        """The record as it is now.

        Raises:
            BrokerUnavailable: Redis could not be asked.
        """
        with self._errors(task_id):
            return self._read(task_id)

    def get_many(self, task_ids: Sequence[str]) -> dict[str, TaskRecord]:
        """The records of several tasks as they are now, by their ids, in one question.

        Raises:
            BrokerUnavailable: Redis could not be asked.
        """
        if not task_ids:
            return {}
        with broker_errors(self._url, f"reading the results of {len(task_ids)} tasks"):
            stored = self._redis.mget([KEY_PREFIX + task_id for task_id in task_ids])
        return {task_id: record_of(task_id, raw) for task_id, raw in zip(task_ids, stored, strict=True)}

    def revoke(self, task_id: str) -> str:
        """Store that a task was cancelled, unless it has finished; whoever waits for it hears of it.

        Returns:
            The status until now.

        Raises:
            BrokerUnavailable: Redis could not be asked.
        """
        record: dict[str, Any] = {
            "status": "REVOKED",
            "result": {
                "exc_type": "TaskRevokedError",
                "exc_message": ["cancelled"],
                "exc_module": "celery.exceptions",
            },
            "traceback": None,
            "children": [],
            "date_done": datetime.now(UTC).isoformat(),
            "task_id": task_id,
        }
        evaluate: Any = self._redis.eval  # the stubs leave it untyped
        with broker_errors(self._url, f"cancelling task {task_id}"):
            status = evaluate(_REVOKE_LUA, 1, KEY_PREFIX + task_id, json.dumps(record), _REVOKED_SECONDS)
        return str(status, "utf-8", "replace")

    def reopen_chord(self, headers: dict[str, Any]) -> int:
        """Let a failed header task of a chord count again; see `taskclient.chords`.

        Raises:
            BrokerUnavailable: Redis could not be asked.
        """
        with broker_errors(self._url, f"reopening the chord of task {headers.get('id')}"):
            return reopen_chord(self._redis, headers)

    def failures(self, task_ids: Sequence[str]) -> dict[str, str]:
        """The failures that are stored of some tasks, as `forget_failures` takes them; none if Redis is away."""
        with suppress(redis.RedisError):  # nothing waits for it: a failure that stays is replaced when the task runs
            return stored_failures(self._redis, [KEY_PREFIX + task_id for task_id in task_ids])
        return {}

    def forget_failures(self, failures: Mapping[str, str]) -> None:
        """Make tasks PENDING whose failures are still those that `failures` found; nothing happens if Redis is away."""
        with suppress(redis.RedisError):
            forget_failures(self._redis, failures)

    def expect_chords(self, chords: Mapping[str, int]) -> None:
        """Write how many results each chord waits for, before the first of them can come; twice does no harm.

        Args:
            chords: the number by the id of the chord's group.

        Raises:
            BrokerUnavailable: Redis could not be asked.
        """
        with broker_errors(self._url, "writing the sizes of chords"):
            for key, size in chord_sizes(chords).items():
                self._redis.set(key, size, ex=CHORD_SECONDS, nx=True)

    def wait(self, task_id: str, timeout: float | None) -> TaskRecord:
        """The record when the task has finished, whatever the outcome.

        Args:
            task_id: the task's id.
            timeout: seconds; None waits for ever, 0 only looks.

        Raises:
            TaskTimeout: the task had not finished in time.
            BrokerUnavailable: Redis could not be asked, at first or at the end; it may be away in between.
        """
        record = TaskRecord(task_id)
        for record in self.updates(task_id, timeout):  # noqa: B007 - the last one counts
            pass
        if not record.finished:
            raise still_running(record)
        return record

    def updates(self, task_id: str, timeout: float | None) -> Iterator[TaskRecord]:
        """The record as it is now and then every change, until the task has finished or the time is over.

        Args:
            task_id: the task's id.
            timeout: seconds; None means for ever.

        Raises:
            BrokerUnavailable: as for `wait`.
        """
        ends = math.inf if timeout is None else time.monotonic() + timeout
        yield (last := self.get(task_id))  # a wrong URL shows here, before any wait
        if last.finished:
            return
        with self._errors(task_id), closing(self._follow(task_id, ends)) as records:
            for record in records:
                if record != last:
                    yield (last := record)
                if record.finished:
                    return

    def _follow(self, task_id: str, ends: float) -> Generator[TaskRecord, None, None]:
        """Listen until the end, and again after a lost connection."""
        while time.monotonic() < ends:
            try:
                yield from self._listen(task_id, ends)
            except AWAY as error:
                if isinstance(error, REFUSED) or time.monotonic() + RECONNECT_PAUSE >= ends:
                    raise
                time.sleep(RECONNECT_PAUSE)

    def _listen(self, task_id: str, ends: float) -> Iterator[TaskRecord]:
        """Records as they are announced.

        Redis confirms a subscription, the first one and the one after each reconnect: only then does a look at the
        key miss nothing that the channel does not bring.
        """
        with self._redis.pubsub() as channel:
            channel.subscribe(KEY_PREFIX + task_id)
            while (left := ends - time.monotonic()) > 0:
                message = channel.get_message(timeout=min(LOOK_AGAIN, left))
                if message and message["type"] == "message":
                    yield record_of(task_id, message["data"])
                else:
                    yield self._read(task_id)

    def _read(self, task_id: str) -> TaskRecord:
        return record_of(task_id, self._redis.get(KEY_PREFIX + task_id))

    def _errors(self, task_id: str) -> AbstractContextManager[None]:
        return broker_errors(self._url, f"reading the result of task {task_id}")


def record_of(task_id: str, raw: bytes | None) -> TaskRecord:
    """What is stored about a task, from the bytes at its key or of its announcement; None if there are none.

    Raises:
        TaskClientError: they are not Celery's JSON.
    """
    return TaskRecord(task_id) if raw is None else _parse(task_id, raw)


def still_running(record: TaskRecord) -> TaskTimeout:
    """The error that a wait ended before the task."""
    return TaskTimeout(
        f"Task {record.task_id} has not finished, its status is {record.status}. It may still run: "
        "wait longer, or ask again later by its id."
    )


def _parse(task_id: str, raw: bytes) -> TaskRecord:
    try:
        stored = json.loads(raw, object_hook=_plain)
        return TaskRecord(task_id, stored["status"], stored["result"], stored.get("traceback"), stored.get("date_done"))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TaskClientError(
            f"The result of task {task_id} is not Celery's JSON. Set result_serializer = 'json' in the worker and "
            "leave its result compression off."
        ) from error


def _plain(value: dict[str, Any]) -> Any:
    """Unwrap what kombu wraps: a datetime, a Decimal, a UUID come as text, as JSON has no types for them."""
    if value.keys() != {"__type__", "__value__"}:
        return value
    inner = value["__value__"]
    return inner["hex"] if value["__type__"] == "uuid" else inner
