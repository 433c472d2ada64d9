"""Fixtures for tests on real servers; pytest finds them by this library's entry point."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

# The servers are imported where they are started: every pytest loads this module, and most need none of them.
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from devstack.postgres import Database, Postgres
    from devstack.valkey import Valkey
    from devstack.worker import WorkerProcess


@pytest.fixture(scope="session")
def session_valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """A real Valkey server that the tests of a session share, with what earlier tests left in it."""
    from devstack.valkey import Valkey  # noqa: PLC0415

    with Valkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture
def valkey(session_valkey: Valkey) -> Valkey:
    """A real, empty Valkey server; the tests of a session share it one after the other."""
    with session_valkey.client() as client:
        client.flushall()
    return session_valkey


@pytest.fixture(scope="module")
def module_valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """A real Valkey server of one test module, for workers that all its tests share."""
    from devstack.valkey import Valkey  # noqa: PLC0415

    with Valkey(tmp_path_factory.mktemp("module-valkey")) as server:
        yield server


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[Valkey]:
    """A real Valkey server of one test, which may stop, kill and restart it."""
    from devstack.valkey import Valkey  # noqa: PLC0415

    with Valkey(tmp_path / "own-valkey") as server:
        yield server


@pytest.fixture(scope="session")
def session_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A real PostgreSQL server that the tests of a session share."""
    from devstack.postgres import Postgres  # noqa: PLC0415

    with Postgres(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture
def postgres(session_postgres: Postgres) -> Iterator[Database]:
    """A new, empty database of one test, dropped after it."""
    with session_postgres.new_database() as database:
        yield database


@pytest.fixture
def own_postgres(tmp_path: Path) -> Iterator[Postgres]:
    """A real PostgreSQL server of one test, which may stop, kill and restart it."""
    from devstack.postgres import Postgres  # noqa: PLC0415

    with Postgres(tmp_path / "own-postgres") as server:
        yield server


@pytest.fixture
def run_worker() -> Iterator[Callable[..., WorkerProcess]]:
    """Starts workers, and ends them with the test; `ready=False` does not wait until one takes tasks."""
    started: list[WorkerProcess] = []

    def run(worker: WorkerProcess, *, ready: bool = True) -> WorkerProcess:
        started.append(worker)
        worker.start()
        if ready:
            worker.wait_ready()
        return worker

    yield run
    for worker in started:
        if worker.alive():
            os.kill(worker.pid, signal.SIGCONT)  # a test may have stopped it
        worker.stop()
