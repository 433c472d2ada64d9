"""Spares a remote service that does not work: after some failures in a row nobody calls it, but one probe now and then.

Needs the extra `workerkit[breaker]`. pybreaker decides when a circuit opens and closes; its state is in Redis, so that
all processes of all services stop together, and only one of them tries whether the remote is back.
"""

import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pybreaker
import redis
import structlog
from celery.exceptions import TaskPredicate

from workerkit.broker import broker_client
from workerkit.errors import PermanentError, TransientError

log = structlog.get_logger("task")
PREFIX = "workerkit:breaker:"
_PAUSE_SECONDS = 15.0  # after Redis did not answer; asking may take seconds, and each call would wait for it
_PROBE_SECONDS = 60.0  # at least; after it the probe of a dead process counts no longer
_KEPT_SECONDS = 86_400  # then the failures of a remote that nobody calls are forgotten
# All of a circuit is one hash, and each script one step by the clock of Redis: machines disagree about the time.
# `retry_at` is there as long as the circuit is not closed; `wait` is until the next probe may go.
_COMMON = """
local key, now = KEYS[1], redis.call('time')
now = now[1] * 1000 + math.floor(now[2] / 1000)
local function get(field) return tonumber(redis.call('hget', key, field) or 0) end
local function wait() return math.max(0, get('retry_at') - now, get('probe_until') - now) end
"""
_LOOK = _COMMON + "return {get('failures'), redis.call('hexists', key, 'retry_at'), wait()}"
_FAIL = """
local failures = redis.call('hincrby', KEYS[1], 'failures', 1)
redis.call('expire', KEYS[1], ARGV[1])
return failures
"""
_OPEN = (  # a straggler's failure opens no circuit that is open already, or the rest would never end
    _COMMON
    + """
if get('retry_at') > now then return 0 end
redis.call('hset', key, 'retry_at', now + ARGV[1])
redis.call('hdel', key, 'probe', 'probe_until')
redis.call('expire', key, ARGV[2])
return 1
"""
)
_PROBE = (
    _COMMON
    + """
if redis.call('hexists', key, 'retry_at') == 0 then return 0 end
local left = wait()
if left == 0 then redis.call('hset', key, 'probe', ARGV[1], 'probe_until', now + ARGV[2]) end
return left
"""
)
_LEAVE = """
if redis.call('hget', KEYS[1], 'probe') == ARGV[1] then redis.call('hdel', KEYS[1], 'probe', 'probe_until') end
"""


class CircuitOpen(TransientError):
    """The remote was not called, because calls to it have failed; the task is tried again later."""


@contextmanager
def circuit_breaker(name: str, *, fail_max: int = 5, reset_seconds: float = 30.0) -> Iterator[None]:
    """Guard calls to a remote service, as a `with` block or as a decorator.

    After `fail_max` failures in a row the circuit is open: for `reset_seconds` nobody calls the remote. Then one call
    of all processes goes through as a probe; the circuit closes if it succeeds, or stays open as long again. Every
    exception of the block is a failure of the remote, but for `PermanentError`: then the remote has answered, and the
    request was wrong. So put only the call into the block. What ends a task without telling anything about the
    remote (a shutdown, Celery's `Retry` and `Ignore`, another open circuit) counts as neither.

    While Redis is away each call goes through, as if there were no breaker. In a coroutine use the `with` block: a
    decorator would guard only the making of the coroutine.

    Args:
        name: of the remote; the circuits of all services that use the same name are one.
        fail_max: failures in a row that open the circuit.
        reset_seconds: how long it rests before it is tried again.

    Raises:
        CircuitOpen: at once, without running the block.
    """
    circuit = _Circuit(name, reset_seconds)
    excluded: list[Any] = [PermanentError, _tells_nothing]
    breaker: Any = pybreaker.CircuitBreaker(
        fail_max,
        reset_seconds,
        exclude=excluded,
        state_storage=circuit,
        name=name,
        throw_new_error_on_trip=False,  # the call's own error says more
    )
    with ExitStack() as stack:
        try:
            stack.enter_context(breaker.calling())
        except pybreaker.CircuitBreakerError:
            raise CircuitOpen(circuit.explanation()) from None
        try:
            yield
        except BaseException as error:
            if _tells_nothing(error):
                circuit.leave()
            raise


def _tells_nothing(error: BaseException) -> bool:
    return not isinstance(error, Exception) or isinstance(error, (CircuitOpen, TaskPredicate))


class _Circuit(pybreaker.CircuitBreakerStorage):
    """The state of a circuit as one call sees it: read once, written in single steps.

    pybreaker's own storage takes several steps for each change, and lets every call through when it tries again.
    """

    _away_until = 0.0  # by the clock of this process, for all circuits

    def __init__(self, name: str, reset_seconds: float) -> None:
        super().__init__(name)
        self._key = PREFIX + name
        self._reset = int(reset_seconds * 1000)
        self._token = secrets.token_hex(8)
        self._ignored = False
        self._successes = 0
        failures, opened, wait = self._ask(_LOOK) or (0, 0, 0)
        self._failures = int(failures)
        self._state = pybreaker.STATE_OPEN if opened else pybreaker.STATE_CLOSED
        self._wait = timedelta(milliseconds=wait)

    def explanation(self) -> str:
        """Why nothing was called, and when something will be."""
        left = max(self._wait.total_seconds(), 0.1)
        return f"{self.name!r} was not called, because calls to it have failed. It is tried again in {left:.1f} s"

    def leave(self) -> None:
        """Let the call count neither as a success nor as a failure."""
        self._ignored = True
        if self._state == pybreaker.STATE_HALF_OPEN:
            self._ask(_LEAVE, self._token)

    @property
    def state(self) -> str:
        """One of pybreaker's states."""
        return self._state

    @state.setter
    def state(self, state: str) -> None:
        if self._ignored:
            return
        if state == pybreaker.STATE_HALF_OPEN:
            self._become_probe()
        elif state == pybreaker.STATE_OPEN:
            if self._ask(_OPEN, self._reset, max(_KEPT_SECONDS, self._reset // 500)):
                log.warning("circuit opened", circuit=self.name, failures=self._failures, seconds=self._reset / 1000)
        elif self._state != state:
            log.info("circuit closed", circuit=self.name)
            self._ask("redis.call('del', KEYS[1])")
        self._state = state

    def _become_probe(self) -> None:
        lease = max(self._reset, int(_PROBE_SECONDS * 1000))
        if wait := self._ask(_PROBE, self._token, lease):
            self._wait = timedelta(milliseconds=wait)
            raise pybreaker.CircuitBreakerError

    @property
    def opened_at(self) -> datetime | None:
        """Such that pybreaker's own sum with its reset time is when the circuit may be tried again."""
        return datetime.now(UTC) + self._wait - timedelta(milliseconds=self._reset) if self._wait else None

    @opened_at.setter
    def opened_at(self, moment: datetime) -> None:
        """Nothing to do: the server's clock counts."""

    @property
    def counter(self) -> int:
        """Failures in a row."""
        return self._failures

    def increment_counter(self) -> None:
        """Count a failure."""
        self._failures = int(self._ask(_FAIL, _KEPT_SECONDS) or 0)

    def reset_counter(self) -> None:
        """Forget the failures; most calls find none, and need no second question to Redis."""
        if self._failures and not self._ignored:
            self._failures = 0
            self._ask("redis.call('hdel', KEYS[1], 'failures')")

    @property
    def success_counter(self) -> int:
        """Successes of this call as the probe."""
        return self._successes

    def increment_success_counter(self) -> None:
        """Count one."""
        self._successes += 1

    def reset_success_counter(self) -> None:
        """Forget them."""
        self._successes = 0

    def _ask(self, script: str, *arguments: Any) -> Any:
        """Run a script, or give None while Redis is away."""
        if time.monotonic() < _Circuit._away_until:
            return None
        try:
            client: Any = broker_client()
            return client.eval(script, 1, self._key, *arguments)
        except redis.RedisError as error:
            _Circuit._away_until = time.monotonic() + _PAUSE_SECONDS
            log.warning("the circuit breaker lets calls through, Redis is away", circuit=self.name, error=str(error))
            return None
