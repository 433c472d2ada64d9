"""Sends tasks if, and only if, a transaction commits; needs `workerkit[database]` and the table `outbox`, no Celery.

A call is a row in the caller's own transaction. Right after the commit a thread of the caller's process sends it; what
that cannot send, because Redis or the process is away, a relay elsewhere sends (the maintenance service's task
`relay_outbox`). Both take the rows in their order and delete what they have sent. If they die in between, a call is
sent again, under the same task id and idempotency key, so it runs once.
"""

import json
import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import lru_cache
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any
from uuid import uuid4

import redis
import structlog
from psycopg.errors import LockNotAvailable
from sqlalchemy import (
    JSON,
    URL,
    BigInteger,
    NullPool,
    Text,
    Uuid,
    column,
    create_engine,
    delete,
    event,
    insert,
    select,
    table,
    text,
    update,
)
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker

from taskclient.client import TaskClient
from taskclient.errors import BrokerUnavailable, QueueFull, TaskClientError
from taskclient.message import build_message
from taskclient.names import queue_of
from taskclient.payload import encode_payload
from workerkit import log_context

log = structlog.get_logger("outbox")
Sessions = Callable[[], AbstractContextManager[Session]]
BATCH_ROWS = 100
_BATCH_SECONDS = 10.0  # then what was sent is committed; well below what the server allows an idle transaction
_PAUSES = (1.0, 2.0, 5.0, 10.0, 30.0)  # seconds until the thread tries again what it could not send
_COMMITTED = "workerkit.outbox"
# By name only, see `workerkit.once`.
_OUTBOX = table(
    "outbox",
    column("number", BigInteger()),
    column("id", Uuid()),
    column("name", Text()),
    column("payload", JSON()),
    column("queue", Text()),
    column("correlation_id", Text()),
    column("idempotency_key", Text()),
    column("error", Text()),
)
# One relay at a time keeps the order. The server itself ends one that hangs or whose machine is gone.
_ALONE = (
    text(
        "SELECT set_config('lock_timeout', '5s', true), set_config('idle_in_transaction_session_timeout', '30s', true)"
    ),
    text("SELECT pg_advisory_xact_lock(hashtextextended('workerkit.outbox', 0))"),
)


@dataclass
class Relayed:
    """What a relay has done.

    Args:
        sent: calls that are in their queues now.
        failed: calls that can never be sent; their rows say why.
        away: why the rest could not be sent yet; None if nothing is left.
    """

    sent: int = 0
    failed: int = 0
    away: str | None = None


def configure(broker_url: str | None, result_url: str | None = None) -> None:
    """Say where calls are sent to right after the commit; without it they wait for the next relay.

    Args:
        broker_url: the workers' broker, with its password; None leaves all calls to the relay.
        result_url: as for `TaskClient`.

    Raises:
        ValueError: a URL is not one that `TaskClient` takes.
    """
    global _courier  # noqa: PLW0603  - one per process is the point
    _courier = _Courier(broker_url, result_url) if broker_url else None


def enqueue_after_commit(
    session: Session,
    name: str,
    payload: Mapping[str, Any] | None = None,
    /,
    *,
    queue: str | None = None,
    correlation_id: str | None = None,
    idempotency_key: str | None = None,
    **fields: Any,
) -> str:
    """Send a task as soon as the session's transaction is committed; if it is rolled back, nothing is sent.

    It asks only the database. In a coroutine: `await session.run_sync(enqueue_after_commit, name, ...)`.

    Args:
        session: of the database with the outbox.
        name: the task's name, as in `app.tasks.email.send_email`.
        payload: the task's arguments by name; instead of, or beside, `fields`.
        queue: another queue than the one that follows from the name.
        correlation_id: what ties the task to a request in the logs; by default that of the task that runs here.
        idempotency_key: makes it the same call as another one of the task with this key.
        fields: the task's arguments.

    Returns:
        The task's id.

    Raises:
        TaskClientError, ValueError: as `TaskClient.send_payload`, but for what Redis says; nothing is enqueued.
    """
    queue, task_id, whole = queue or queue_of(name), uuid4(), {**(payload or {}), **fields}
    correlation_id = correlation_id or log_context.correlation_id()
    # Built to find out now what would be wrong with it later.
    build_message(name, whole, queue=queue, task_id=str(task_id), idempotency_key=idempotency_key)
    row = {"id": task_id, "name": name, "payload": json.loads(encode_payload(name, whole)), "queue": queue}
    keys = {"correlation_id": correlation_id, "idempotency_key": idempotency_key}
    session.execute(insert(_OUTBOX).values(**row, **keys))
    session.info[_COMMITTED] = True
    if not event.contains(session, "after_commit", _on_commit):
        event.listen(session, "after_commit", _on_commit)
    return str(task_id)


def send_waiting(sessions: Sessions, client: TaskClient) -> Relayed:
    """Send all calls that wait, in their order, some at a time.

    Args:
        sessions: opens a session that commits at the end of its block, such as `workerkit.database.get_sync_db`.
        client: sends them.

    Raises:
        Exception: what `sessions` raises; nothing is lost, but what was sent since may be sent again.
    """
    done, blocked = Relayed(), dict[str, str]()
    while done.away is None:
        with sessions() as session:
            rows = _take(session, blocked)
            if not rows:
                break
            batch = _Batch(blocked)
            batch.send(rows, client)
            _settle(session, batch)
        done.sent += len(batch.sent)
        done.failed += len(batch.refused)
        done.away = batch.away
    done.away = done.away or "; ".join(blocked.values()) or None
    return done


@dataclass
class _Batch:
    """What became of some rows; `blocked` are the queues that take nothing now, and why."""

    blocked: dict[str, str]
    sent: list[int] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)
    away: str | None = None

    def send(self, rows: Sequence[Any], client: TaskClient) -> None:
        until = time.monotonic() + _BATCH_SECONDS
        for row in rows:
            if time.monotonic() > until:
                return
            try:
                self._send(row, client)
            except BrokerUnavailable as error:
                if not _concerns_one_queue(error):
                    self.away = str(error)
                    return
                self.blocked[row.queue] = str(error)
            except (TaskClientError, ValueError, TypeError) as error:
                self.refused[row.number] = f"{type(error).__name__}: {error}"

    def _send(self, row: Any, client: TaskClient) -> None:
        if row.queue in self.blocked:  # so that its calls keep their order
            return
        client.send_payload(
            row.name,
            row.payload,
            task_id=str(row.id),
            queue=row.queue,
            correlation_id=row.correlation_id,
            idempotency_key=row.idempotency_key or str(row.id),
        )
        self.sent.append(row.number)


def _take(session: Session, blocked: Collection[str]) -> Sequence[Any]:
    try:
        for statement in _ALONE:
            session.execute(statement)
    except OperationalError as error:
        if not isinstance(error.orig, LockNotAvailable):
            raise
        session.rollback()
        return []  # another relay is at it, and will take these too
    waiting = select(_OUTBOX).where(_OUTBOX.c.error.is_(None), _OUTBOX.c.queue.not_in(blocked))
    found = waiting.order_by(_OUTBOX.c.number).limit(BATCH_ROWS).with_for_update(skip_locked=True)
    return session.execute(found).all()


def _settle(session: Session, batch: _Batch) -> None:
    if batch.sent:
        session.execute(delete(_OUTBOX).where(_OUTBOX.c.number.in_(batch.sent)))
    for number, error in batch.refused.items():
        log.error("a call in the outbox can never be sent", number=number, error=error)
        session.execute(update(_OUTBOX).where(_OUTBOX.c.number == number).values(error=error.replace("\0", "?")))


def _concerns_one_queue(error: BrokerUnavailable) -> bool:
    """A full queue, a right that is missing for it, a key that is no list: the calls for other queues can go."""
    cause = error.__cause__
    return (
        isinstance(error, QueueFull)
        or isinstance(cause, redis.exceptions.NoPermissionError)
        or "WRONGTYPE" in str(cause)
    )


def _on_commit(session: Session) -> None:
    if session.in_nested_transaction():  # a savepoint; nobody else sees the rows yet
        return
    if session.info.pop(_COMMITTED, False) and _courier is not None:
        try:
            _courier.wake(session.get_bind().engine.url)
        except Exception:  # the caller has committed: the next relay sends what this could not
            log.warning("calls in the outbox wait for the next relay", exc_info=True)


class _Courier:
    """Sends, in a thread, what waits in the databases it is told of; while Redis is away it tries again and again."""

    def __init__(self, broker_url: str, result_url: str | None) -> None:
        self.urls = broker_url, result_url
        # Unchecked: its caller has committed, and a worker that comes up later may know what the catalog does not yet.
        self._client = TaskClient(broker_url, result_url, check=False)
        self._told: SimpleQueue[URL] = SimpleQueue()
        self._lock = Lock()
        self._thread: Thread | None = None

    def wake(self, url: URL) -> None:
        """Have it look; returns at once."""
        self._told.put(url)
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = Thread(target=self._run, name="outbox", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        failures = 0
        while True:
            urls = {self._told.get()}
            while not self._told.empty():  # many commits, one look
                urls.add(self._told.get())
            left = {url for url in urls if not self._send(url)}
            failures = failures + 1 if left else 0
            if left:
                time.sleep(_PAUSES[min(failures, len(_PAUSES)) - 1])
                for url in left:
                    self._told.put(url)

    def _send(self, url: URL) -> bool:
        try:
            relayed = send_waiting(_sessions(url), self._client)
        except Exception as error:  # noqa: BLE001 - whatever it is, the rows are still there
            log.warning("the outbox could not be read", error=str(error).partition("\n")[0])
            return False
        if relayed.away:
            log.warning("calls wait in the outbox", reason=relayed.away)
        return relayed.away is None


@lru_cache(maxsize=8)
def _sessions(url: URL) -> Sessions:
    # No pool: a connection of its own for each look, as one of the caller's pool would be missing there.
    arguments = {"connect_timeout": 5, "application_name": "outbox"}
    address = url.set(drivername="postgresql+psycopg")  # a coroutine's driver may be another one
    engine = create_engine(address, poolclass=NullPool, hide_parameters=True, connect_args=arguments)
    return sessionmaker(engine).begin


def _forget() -> None:
    """A forked child has no threads: it starts its own."""
    global _courier  # noqa: PLW0603
    _courier = _Courier(*_courier.urls) if _courier else None


_courier: _Courier | None = None
os.register_at_fork(after_in_child=_forget)
