"""Runs a call once for each idempotency key: whoever calls again gets the first one's result.

A call has a key if its message has the header `idempotency-key`, or if its task is `idempotent`: then the task's id is
the key of a call without the header. Calls without a key cost nothing here.

What is known of a key is one hash in the broker's Redis:

    running    token of the run that is under way; its process renews the expiry of the hash
    task       id of the task that has the key, also between two attempts
    since      when it got the key, milliseconds since 1970
    result     what the first call returned, as JSON; then there are no other fields

docs/explanation/effects-once.md says what is promised at each point where a process can die.
"""

import contextvars
import hashlib
import json
import random
import secrets
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from itertools import chain, repeat
from typing import Any, NoReturn

import redis
import structlog
from celery import current_task, signals
from celery.exceptions import Ignore, Retry

from taskclient.message import IDEMPOTENCY_HEADER, MAX_KEY_LENGTH
from workerkit.broker import broker_client
from workerkit.event_loop import call_blocking

log = structlog.get_logger("task")
PREFIX = "workerkit:idempotency:"
LEASE_SECONDS = 60.0  # a claim that nobody renews ends after this; longer than most outages of Redis
SILENCE_SECONDS = 15.0  # after this long without renewal another message of the same task may go on
_RENEW_SECONDS = 5.0
_BETWEEN_ATTEMPTS_SECONDS = 60.0  # beyond the retry's time: then another call of the same key may run in its place
_LONGEST_WAIT_SECONDS = 30.0
_PAUSES = (0.1, 0.2, 0.5, 1.0, 2.0)  # seconds between questions while Redis does not answer

# Answers {"result", json}, {"mine"} or {"wait", seconds}.
_CLAIM = """
local task, token, lease, silence = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local crashed = ARGV[5] == '1'
local known = redis.call('HMGET', KEYS[1], 'result', 'task', 'running', 'since')
if known[1] then return {'result', known[1]} end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if known[2] and known[3] ~= token then
  local left = redis.call('PTTL', KEYS[1])
  local silent = lease - left
  if known[2] ~= task then return {'wait', tostring((now - known[4]) / 2000)} end
  if known[3] and not crashed and silent < silence then return {'wait', '2'} end
end
redis.call('HSET', KEYS[1], 'task', task, 'running', token, 'since', known[4] or now)
redis.call('PEXPIRE', KEYS[1], lease)
return {'mine'}
"""
# Answers 1; 0 if the claim had ended and is taken again; -1 if somebody else has it, or there is a result.
_RENEW = """
local known = redis.call('HMGET', KEYS[1], 'running', 'task')
local held = known[1] == ARGV[2]
if not held and redis.call('EXISTS', KEYS[1]) == 1 then return -1 end
if not held then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  redis.call('HSET', KEYS[1], 'task', ARGV[1], 'running', ARGV[2], 'since', now)
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return held and 1 or 0
"""
_RECORD = """
if redis.call('HSETNX', KEYS[1], 'result', ARGV[1]) == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
redis.call('HDEL', KEYS[1], 'running', 'task', 'since')
return 1
"""
_REST = """
if redis.call('HGET', KEYS[1], 'running') == ARGV[1] then
  redis.call('HDEL', KEYS[1], 'running')
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 1
"""
_FREE = "return redis.call('HGET', KEYS[1], 'running') == ARGV[1] and redis.call('DEL', KEYS[1])"


class WaitsForFirst(Ignore):
    """The first call of the same key is under way; this one is on its way back to the queue and has used no attempt."""


def call_key(task: Any) -> str:
    """What names the effect of the call that runs, however often it is delivered or repeated.

    Returns:
        The task's name with the caller's idempotency key; the task's id if the caller gave none.
    """
    given = _given_key(task.request)
    return f"{task.name}:{given}" if given else str(task.request.id)


def run_once(task: Any, run: Callable[[], Any]) -> Any:
    """Run a task's body, unless the first call of its key has done so or is about to.

    Args:
        task: the task, with the request that is being worked off.
        run: the body; returns JSON types.

    Returns:
        What `run` returned, now or at the first call.

    Raises:
        WaitsForFirst: the first call is under way; the message is sent again, to be looked at later.
        Exception: what `run` raised; the key is then free, or kept for the retry that was asked for.
    """
    key = _key(task)
    if key is None:
        return run()
    claim = _Claim(task, key)
    verdict, answer = claim.take()
    if verdict == b"result":
        log.info("the result of the first call is returned", key=claim.name)
        return json.loads(answer)
    if verdict == b"wait":
        _wait(task, float(answer), claim)
    return claim.hold(run)


class _Claim:
    """The claim of one run on one key."""

    def __init__(self, task: Any, key: str) -> None:
        self._redis: Any = broker_client()
        self.name = f"{PREFIX}{task.name}:{_digest(key)}"
        self._task_id = str(task.request.id)
        self._token = secrets.token_hex(16)
        # The broker says that whoever ran it is gone. Waiting would be a new message, whose crashes nobody has counted.
        self._crashed = int(bool((task.request.delivery_info or {}).get("redelivered")))
        self._kept = int(task.idempotency_seconds * 1000)
        self._ended = threading.Event()

    def take(self) -> tuple[bytes, bytes]:
        lease = int(LEASE_SECONDS * 1000), int(SILENCE_SECONDS * 1000)
        verdict, *answer = _patiently(lambda: self._eval(_CLAIM, self._task_id, self._token, *lease, self._crashed))
        return verdict, answer[0] if answer else b""

    def hold(self, run: Callable[[], Any]) -> Any:
        """Run with the claim, and leave what the outcome asks for; a process that dies leaves the claim to expire."""
        # In a copy of the context: its log lines carry the task's id.
        context = contextvars.copy_context().run
        renewing = threading.Thread(target=context, args=(self._renew,), name="idempotency", daemon=True)
        renewing.start()
        try:
            result = run()
        except BaseException as error:
            self._ended.set()
            call_blocking(renewing.join)  # or it might claim the key again after it was freed
            self._leave(error)
            raise
        # The effect is there, and without its record it would happen again: so this waits for Redis as long as it
        # takes, and the claim is renewed meanwhile.
        _patiently(lambda: self._eval(_RECORD, json.dumps(result), self._kept))
        self._ended.set()
        return result

    def _leave(self, error: BaseException) -> None:
        if isinstance(error, Retry):
            rest = int((_seconds_until(error.when) + _BETWEEN_ATTEMPTS_SECONDS) * 1000)
            _patiently(lambda: self._eval(_REST, self._token, rest))
        elif isinstance(error, Exception):
            _patiently(lambda: self._eval(_FREE, self._token))

    def _renew(self) -> None:
        pause = _RENEW_SECONDS
        while not self._ended.wait(pause):
            try:
                state = self._eval(_RENEW, self._task_id, self._token, int(LEASE_SECONDS * 1000))
            except redis.RedisError as error:
                log.warning("the claim on an idempotency key could not be renewed", key=self.name, error=str(error))
                pause = 1.0
                continue
            pause = _RENEW_SECONDS
            if state != 1 and not self._ended.wait(0.1):  # or the result has just been recorded
                log.error("the claim on an idempotency key was lost", key=self.name, taken_again=state == 0)
            if state < 0:
                return

    def _eval(self, script: str, *arguments: Any) -> Any:
        return self._redis.eval(script, 1, self.name, *arguments)


def _given_key(request: Any) -> str:
    """The caller's key, in a form that fits wherever a key may go; any producer may have set any header."""
    key = str((request.headers or {}).get(IDEMPOTENCY_HEADER) or "")
    return key if len(key) <= MAX_KEY_LENGTH and key.isprintable() else _digest(key)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()


def _key(task: Any) -> str | None:
    request = task.request
    if request.called_directly or request.is_eager or not request.id:
        return None
    # Apart, or a caller's key that is another call's id would be taken for that call.
    given = _given_key(request)
    return f"key:{given}" if given else f"id:{request.id}" if task.idempotent else None


def _wait(task: Any, seconds: float, claim: _Claim) -> NoReturn:
    """Send the message again, with as many retries as it has; the longer the first has been at it, the later."""
    wait = min(max(seconds, 1.0), _LONGEST_WAIT_SECONDS) * random.uniform(0.8, 1.2)  # noqa: S311 - spreads the load
    log.info("waits for the first call of the same idempotency key", key=claim.name, seconds=round(wait, 1))
    request = task.request
    task.signature_from_request(request, retries=request.retries, countdown=wait).apply_async()
    raise WaitsForFirst(f"another call of {task.name} with the same idempotency key is under way")


def _patiently(ask: Callable[[], Any]) -> Any:
    """Ask Redis until it answers: without it a worker could neither fetch nor acknowledge anything else either."""
    pauses = chain(_PAUSES, repeat(_PAUSES[-1]))
    while True:
        try:
            return call_blocking(ask)
        except redis.RedisError as error:
            log.warning("waiting for Redis, which has the idempotency keys", error=str(error))
            call_blocking(partial(time.sleep, next(pauses)))  # a soft limit is not to end it: see `hold`


def _seconds_until(when: Any) -> float:
    """Of a `Retry`: a time, or seconds from now."""
    if isinstance(when, datetime):
        return max((when - datetime.now(when.tzinfo or UTC)).total_seconds(), 0.0)
    return max(float(when or 0), 0.0)


def _hand_on(headers: dict[str, Any], **_: Any) -> None:
    """Give the key on to the task that replaces the current one: it has its id, and does its work."""
    request = current_task.request if current_task else None
    if request and request.id and headers.get("id") == request.id and headers.get("task") != current_task.name:
        given = _given_key(request)
        if given:
            headers.setdefault(IDEMPOTENCY_HEADER, f"{current_task.name}:{given}")


signals.before_task_publish.connect(_hand_on, dispatch_uid="workerkit.idempotency")
