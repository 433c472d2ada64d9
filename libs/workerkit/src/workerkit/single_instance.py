"""Lets one run at a time into a block, over all processes and machines of a service: a lock in Redis.

The lock is a lease of a few seconds that a thread renews while the block runs, so a task may run as long as it likes,
and the lock of a dead process ends by itself. A lease is no proof: a process that was frozen for longer than its
lease does not know that another one has begun. What must never happen twice needs a key in the database as well.
"""

import contextvars
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import redis
import structlog
from celery import current_app, current_task, states
from celery.app.task import get_actual_ignore_result  # type: ignore[attr-defined]  # not in its stubs
from celery.exceptions import Ignore

from workerkit.broker import broker_client
from workerkit.errors import TransientError
from workerkit.event_loop import pause

log = structlog.get_logger("task")
LEASE_SECONDS = 15.0
_LOOK_SECONDS = 0.2
_RENEW, _LOST, _TAKEN = 1, 0, -1
_RENEW_SCRIPT = """
local holder = redis.call('get', KEYS[1])
if holder and holder ~= ARGV[1] then return -1 end
redis.call('set', KEYS[1], ARGV[1], 'PX', ARGV[2])
return holder and 1 or 0
"""
_FREE_SCRIPT = "return redis.call('get', KEYS[1]) == ARGV[1] and redis.call('del', KEYS[1])"


class AlreadyRunning(Ignore):
    """This run was skipped because another one holds the lock; the task ends with it, with neither retry nor failure.

    For Celery it is an `Ignore`: the message is acknowledged, and no failure is logged, counted or retried. The caller
    finds the state REVOKED, Celery's word for a task that was not run, with this class and its message: taskclient
    raises `TaskRevoked` with `error_type == "AlreadyRunning"`. A returned value would have to be part of every such
    task's result type, and a `PermanentError` would raise alarms about something that goes as planned.
    """


@contextmanager
def single_instance(key: str, timeout: float = 0.0, *, lease: float = LEASE_SECONDS) -> Iterator[None]:
    """Let only one run at a time into a block, or into a task as a decorator under `@app.task`.

    A run that finds the lock taken is skipped, unless the holder is an earlier delivery of the very same task: then
    the process that ran it has probably died, and skipping would lose the task. It waits until the lease has run out.

    Args:
        key: what is locked, within this service, as in "nightly-report" or f"account:{number}".
        timeout: seconds to wait for the lock before the run is skipped; 0 skips at once. It does not limit how long
            the block may run, and a block inside the block never gets the same lock.
        lease: seconds after which the lock of a dead process ends.

    Raises:
        AlreadyRunning: another run holds the lock; let it pass.
        TransientError: Redis is away, so nobody knows who holds the lock; raised before the block runs.
    """
    lock = _Lock(f"workerkit:lock:{current_app.main}:{key}", lease)
    try:
        got = lock.acquire(timeout)
    except redis.RedisError as error:
        raise TransientError(f"the lock {key!r} could not be asked for: {error}") from error
    if not got:
        _skip(AlreadyRunning(f"skipped: another run holds the lock {key!r}"), lock)
    try:
        lock.keep()
        yield
    finally:
        lock.free()


def _skip(skipped: AlreadyRunning, lock: "_Lock") -> NoReturn:
    log.info("task skipped", reason=str(skipped))
    task: Any = current_task
    # The other delivery of the same task will store the result of both.
    if task and task.request.id and not task.request.is_eager and not lock.held_by_same_task:
        if not get_actual_ignore_result(task, task.request):
            task.backend.store_result(task.request.id, skipped, states.REVOKED, request=task.request)
        if task.request.chord:
            task.backend.on_chord_part_return(task.request, states.REVOKED, skipped)
    raise skipped


def _task_id() -> str:
    return (current_task.request.id or "") if current_task else ""


class _Lock:
    """A lock under one Redis key; the value is the holder's task id and a random token."""

    def __init__(self, name: str, lease: float) -> None:
        self._redis: Any = broker_client()
        self._name = name
        self._lease = lease
        self._milliseconds = int(lease * 1000)
        self._task = _task_id()
        self._token = f"{self._task}:{secrets.token_hex(16)}"
        self._freed = threading.Event()
        # In a copy of the context: its log lines carry the task's id.
        run = contextvars.copy_context().run
        self._renewing = threading.Thread(target=run, args=(self._renew,), name="lock", daemon=True)
        self.held_by_same_task = False

    def acquire(self, timeout: float) -> bool:
        """Try to take it until `timeout` seconds are over, or the lease of an earlier delivery of this task."""
        began = time.monotonic()
        while (holder := self._try()) is not None:
            self.held_by_same_task = bool(self._task) and holder.startswith(f"{self._task}:".encode())
            wait = max(timeout, self._lease + 1) if self.held_by_same_task else timeout
            if time.monotonic() - began >= wait:
                return False
            pause(_LOOK_SECONDS)
        return True

    def keep(self) -> None:
        """Start renewing the lease."""
        self._renewing.start()

    def _renew(self) -> None:
        while not self._freed.wait(self._lease / 3):  # so three attempts fit into one lease
            try:
                state = self._redis.eval(_RENEW_SCRIPT, 1, self._name, self._token, self._milliseconds)
            except redis.RedisError as error:
                log.warning("the lock could not be renewed", lock=self._name, error=str(error))
                continue
            if state != _RENEW:
                log.error("the lock was lost while the task runs", lock=self._name, taken_again=state == _LOST)
            if state == _TAKEN:
                return

    def free(self) -> None:
        """Free it, unless somebody else holds it by now."""
        self._freed.set()
        if self._renewing.is_alive():
            self._renewing.join()  # or it might take the lock again after it was freed
        try:
            self._redis.eval(_FREE_SCRIPT, 1, self._name, self._token)
        except redis.RedisError as error:
            log.warning("the lock could not be freed, its lease will end it", lock=self._name, error=str(error))

    def _try(self) -> bytes | None:
        # In one step: set it if it is free, and get what is there otherwise; None says that it is ours.
        holder: bytes | None = self._redis.set(self._name, self._token, nx=True, get=True, px=self._milliseconds)
        return None if holder == self._token.encode() else holder  # ours if only the first answer got lost
