"""Results of many tasks that finish at about the same time are stored by one round trip, and the loop does not wait."""

import asyncio
import contextvars
from collections.abc import Sequence
from functools import partial
from typing import Any

import structlog
from redis.connection import Connection
from redis.exceptions import NoScriptError, RedisError

from workerkit import result_backend
from workerkit.async_tasks import greenlets
from workerkit.async_tasks.links import LoopLink
from workerkit.result_backend import STORE, STORE_SHA

log = structlog.get_logger("worker")
_AT_ONCE = 200
_PAUSE_SECONDS = 0.5
Command = Sequence[Any]


def install(app: Any) -> None:
    """Have the application of this process store its results so."""
    here = f"{__name__}:ResultBackend"
    app.loader.override_backends = dict.fromkeys(("redis", "rediss"), here)
    app._backend_cache = None
    vars(app._local).pop("backend", None)


class ResultBackend(result_backend.ResultBackend):
    """Reads and writes a task's result in company; a task's message is acknowledged after that, as ever."""

    _batch: "Batch | None" = None

    def get(self, key: Any) -> Any:
        """As Celery."""
        if not greenlets.may_wait():
            return super().get(key)
        return self._ask(("GET", key))[0]

    def set(self, key: Any, value: Any, expires: Any = None, **policy: Any) -> Any:
        """As Celery, which also tells those who wait for the result."""
        if not greenlets.may_wait() or len(value) > self._MAX_STR_VALUE_SIZE:
            return super().set(key, value, expires, **policy)
        seconds = self.expires if expires is None else expires
        rest = ("EX", int(seconds)) if seconds else ()
        return self._ask(("SET", key, value, *rest), ("PUBLISH", key, value))

    def _store(self, key: bytes, value: str, seconds: int) -> None:
        if not greenlets.may_wait():
            super()._store(key, value, seconds)
            return
        try:
            self._ask(("EVALSHA", STORE_SHA, 1, key, value, seconds))
        except NoScriptError:
            self._ask(("EVAL", STORE, 1, key, value, seconds))

    def _ask(self, *commands: Command) -> list[Any]:
        if self._batch is None:
            self._batch = Batch(self)
        return self._batch.ask(*commands)


class Batch:
    """Sends what has been asked for since it last sent something.

    Args:
        backend: whose connections.
    """

    def __init__(self, backend: ResultBackend) -> None:
        self._backend = backend
        self._link: LoopLink | None = None
        self._asked: list[tuple[Sequence[Command], asyncio.Future[list[Any]]]] = []
        self._sending: asyncio.Task[None] | None = None

    def ask(self, *commands: Command) -> list[Any]:
        """Wait for the replies to commands that may be repeated; in a greenlet.

        Raises:
            redis.ResponseError: Redis refuses one, and not only for now.
        """
        loop = asyncio.get_running_loop()
        replies: asyncio.Future[list[Any]] = loop.create_future()
        self._asked.append((commands, replies))
        if self._sending is None or self._sending.done():
            # In a context of its own: it belongs to no task.
            self._sending = loop.create_task(self._send_all(), context=contextvars.Context())
        found: list[Any] = greenlets.wait(replies)
        return found

    async def _send_all(self) -> None:
        while self._asked:
            some, self._asked = self._asked[:_AT_ONCE], self._asked[_AT_ONCE:]
            try:
                await greenlets.in_greenlet(partial(self._send, some))
            except (RedisError, OSError) as error:
                log.warning("results are stored later", results=len(some), error=str(error))
                link, self._link = self._link, None
                if link is not None:
                    link.close()
                self._asked = some + self._asked
                await asyncio.sleep(_PAUSE_SECONDS)

    def _send(self, some: Sequence[tuple[Sequence[Command], "asyncio.Future[list[Any]]"]]) -> None:
        answers = self._open().commands([command for commands, _ in some for command in commands])
        for commands, replies in some:
            own, answers = answers[: len(commands)], answers[len(commands) :]
            error = next((answer for answer in own if isinstance(answer, RedisError)), None)
            if error is not None and self._backend.exception_safe_to_retry(error):
                raise error
            if replies.done():  # nobody waits any more
                continue
            if error is None:
                replies.set_result(own)
            else:
                replies.set_exception(error)

    def _open(self) -> LoopLink:
        if self._link is None:
            options = dict(self._backend.connparams)
            options.pop("max_connections", None)
            connect = partial(LoopLink, options.pop("connection_class", Connection), options)
            self._link = greenlets.wait(asyncio.get_running_loop().run_in_executor(None, connect))
        return self._link
