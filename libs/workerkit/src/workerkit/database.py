"""Sessions of a service's database for tasks: `get_sync_db()` and, for coroutines, `get_task_session()`.

Needs the extra `workerkit[database]`. Each process has at most one engine of each kind, made at first use and so after
the fork: a connection shared by two processes would mix up their answers. A worker of N processes holds at most
N x `pool_size` connections for ordinary tasks, and as many for coroutines.
"""

import atexit
import contextlib
import os
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from celery import signals
from psycopg.pq import TransactionStatus
from sqlalchemy import URL, Engine, ExceptionContext, create_engine, event, exc, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from workerkit.errors import TransientError
from workerkit.event_loop import WrongThread, at_loop_end, on_event_loop, run_async

_ENGINE: dict[str, Any] = {
    "max_overflow": 0,  # `pool_size` is the limit
    "pool_pre_ping": True,  # a connection that died while idle is replaced before a task sees it
    "pool_recycle": 1800,  # seconds; below the patience of firewalls and proxies
    "hide_parameters": True,  # errors end in logs and results, and values may be personal data
}
_CONNECTION: dict[str, Any] = {
    "connect_timeout": 5,  # seconds
    "keepalives_idle": 30,  # a silent network cut ends the wait for an answer after a minute, not after two hours
    "keepalives_interval": 10,
    "keepalives_count": 3,
}
_CANCEL_SECONDS = 3.0
# psycopg's OperationalError is more than a lost connection: a server that starts, stops or is full, a deadlock, a lock
# that was not free, a statement timeout. All of them may go well next time.
_AWAY = (exc.OperationalError, exc.InterfaceError, exc.TimeoutError, psycopg.OperationalError, psycopg.InterfaceError)


class NotConfigured(RuntimeError):
    """A session was asked for before `configure` said where the database is."""


@dataclass(frozen=True)
class _Database:
    url: URL
    engine: dict[str, Any]


class _Engines:
    """The engines of one process."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.sync: Engine | None = None
        self.asynchronous: AsyncEngine | None = None


_database: _Database | None = None
_engines = _Engines()
_inherited: list[_Engines] = []


def configure(
    url: str | URL, *, application_name: str, pool_size: int = 2, statement_timeout: float | None = None
) -> None:
    """Say where the database is; connects to nothing. Call it once, beside `create_app`.

    Args:
        url: for SQLAlchemy with psycopg, as in `postgresql+psycopg://user:password@host/name`.
        application_name: the service; PostgreSQL shows it for each connection.
        pool_size: connections per process and kind; a task needs one for each session it has open at a time.
        statement_timeout: seconds after which the server ends a statement; what a killed process leaves running
            on the server ends no sooner. None leaves it to the server, which by default waits for ever.

    Raises:
        ValueError: the URL is for another database or driver.
    """
    global _database  # noqa: PLW0603  - one per service is the point
    parsed = make_url(url)
    if parsed.drivername != "postgresql+psycopg":
        raise ValueError(f"the database URL begins with {parsed.drivername}://, it must with postgresql+psycopg://")
    connection = _CONNECTION | {"application_name": application_name}
    if statement_timeout is not None:
        connection["options"] = f"-c statement_timeout={int(statement_timeout * 1000)}"
    dispose()
    _database = _Database(parsed, {**_ENGINE, "pool_size": pool_size, "connect_args": connection})


@contextmanager
def get_sync_db() -> Iterator[Session]:
    """A session; commits at the end of the block, or rolls back if it raises.

    Objects stay readable after the block. If the connection breaks during the commit, nobody knows whether it was
    done; the task is retried, so what must not happen twice needs a unique key.

    Raises:
        TransientError: the database is away, busy or restarting; also if the error came from the block.
        NotConfigured: `configure` was not called.
    """
    with _losses_are_transient(), Session(_sync_engine(), expire_on_commit=False) as session:
        yield session
        session.commit()


@asynccontextmanager
async def get_task_session() -> AsyncIterator[AsyncSession]:
    """The same for a coroutine that `run_async` runs.

    Raises:
        TransientError, NotConfigured: as `get_sync_db`.
        WrongThread: the coroutine runs on another event loop, which cannot share the connections of this one.
    """
    with _losses_are_transient():
        async with AsyncSession(_async_engine(), expire_on_commit=False) as session:
            yield session
            await session.commit()


def unreachable(seconds: int) -> str | None:
    """Open one connection of its own and close it again, for the check at a worker's start.

    Args:
        seconds: how long to wait for the server.

    Returns:
        None if it answers, or if `configure` was not called; else one sentence without the password.
    """
    if _database is None:
        return None
    connection = _database.engine["connect_args"] | {"connect_timeout": seconds}
    engine = create_engine(_database.url, poolclass=NullPool, hide_parameters=True, connect_args=connection)
    try:
        with engine.connect():
            return None
    except exc.SQLAlchemyError as error:
        return _sentence(error)


def dispose() -> None:
    """Close all connections that are not in use; the next session opens new ones."""
    with _engines.lock:
        engine, _engines.sync = _engines.sync, None
    if engine is not None:
        engine.dispose()
    if _engines.asynchronous is not None:
        run_async(_dispose_asynchronous())


@contextmanager
def _losses_are_transient() -> Iterator[None]:
    try:
        yield
    except _AWAY as error:
        raise TransientError(f"the database is away or busy: {_sentence(error)}") from error
    except exc.DBAPIError as error:
        if error.connection_invalidated:
            raise TransientError(f"the connection to the database broke: {_sentence(error)}") from error
        raise


def _sentence(error: BaseException) -> str:
    """What went wrong, without the statement: its values may be personal data."""
    cause = error.orig if isinstance(error, exc.DBAPIError) and error.orig is not None else error
    return (str(cause).splitlines() or [type(cause).__name__])[0]


def _sync_engine() -> Engine:
    with _engines.lock:
        if _engines.sync is None:
            database = _known()
            _engines.sync = create_engine(database.url, **database.engine)
            event.listen(_engines.sync, "handle_error", _stop_statement)
        return _engines.sync


def _stop_statement(context: ExceptionContext) -> None:
    """Tell the server to drop a statement that a time limit cut off; a coroutine's is dropped by its cancelling."""
    connection = context.connection
    if connection is None or connection.closed or connection.invalidated:
        return
    driver: Any = connection.connection.driver_connection
    if driver.info.transaction_status == TransactionStatus.ACTIVE:
        with contextlib.suppress(psycopg.Error):  # it must not hide the time limit
            driver.cancel_safe(timeout=_CANCEL_SECONDS)
        context.is_disconnect = True  # its answer is still under way, so the connection is of no use any more
        context.invalidate_pool_on_disconnect = False


def _async_engine() -> AsyncEngine:
    if not on_event_loop():
        raise WrongThread("get_task_session belongs on the process's event loop: run the coroutine by run_async")
    with _engines.lock:
        if _engines.asynchronous is None:
            database = _known()
            _engines.asynchronous = create_async_engine(database.url, **database.engine)
            at_loop_end(_dispose_asynchronous)
        return _engines.asynchronous


def _known() -> _Database:
    if _database is None:
        raise NotConfigured("call workerkit.database.configure(url, application_name=...) beside create_app")
    return _database


async def _dispose_asynchronous() -> None:
    engine, _engines.asynchronous = _engines.asynchronous, None
    if engine is not None:
        await engine.dispose()


def _forget() -> None:
    """Leave the parent's connections alone in a forked child: closing one would end it for the parent too."""
    global _engines  # noqa: PLW0603
    _inherited.append(_engines)  # kept, so that no finalizer touches them
    _engines = _Engines()


os.register_at_fork(after_in_child=_forget)
atexit.register(dispose)
# A pool process ends without `atexit`.
signals.worker_process_shutdown.connect(lambda **_: dispose(), weak=False, dispatch_uid="workerkit.database")
