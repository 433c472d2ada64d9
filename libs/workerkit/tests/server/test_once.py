"""Effects in a real PostgreSQL happen once for each key, whoever asks at the same time and whoever is killed."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from datastore.migrator import Migrator
from devstack.postgres import Database
from devstack.waiting import wait_for
from workerkit.once import once

BOOK = text("INSERT INTO bookings DEFAULT VALUES")
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
# The effect is in the transaction, and the process dies before the commit.
KILLED = """
import os, signal, sys
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session
from workerkit.once import once
with Session(create_engine(sys.argv[1])) as session:
    assert once(session, "killed")
    session.execute(text("INSERT INTO bookings DEFAULT VALUES"))
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def database(postgres: Database) -> Iterator[psycopg.Connection]:
    Migrator(make_url(postgres.url)).upgrade()
    with postgres.connect() as connection:
        connection.execute("CREATE TABLE bookings (number bigint GENERATED ALWAYS AS IDENTITY)")
        yield connection


@pytest.fixture
def engine(postgres: Database, database: psycopg.Connection) -> Iterator[Engine]:
    made = create_engine(postgres.url, pool_size=50)
    yield made
    made.dispose()


def bookings(database: psycopg.Connection) -> int:
    (count,) = database.execute("SELECT count(*) FROM bookings").fetchone() or (0,)
    return int(count)


def book(engine: Engine, key: str) -> bool:
    with Session(engine) as session, session.begin():
        first = once(session, key)
        if first:
            session.execute(BOOK)
        return first


def test_the_first_time_and_no_other(engine: Engine, database: psycopg.Connection):
    assert [book(engine, key) for key in ("a", "a", "b", "a")] == [True, False, True, False]
    assert bookings(database) == 2


def test_a_key_is_rolled_back_with_its_effect(engine: Engine, database: psycopg.Connection):
    with Session(engine) as session:
        assert once(session, "back")
        assert not once(session, "back")
    assert book(engine, "back")


def test_of_fifty_at_once_one_is_the_first(engine: Engine, database: psycopg.Connection):
    with ThreadPoolExecutor(50) as pool:
        assert sum(pool.map(lambda _: book(engine, "fifty"), range(50))) == 1
    assert bookings(database) == 1


@pytest.mark.parametrize("commits", [True, False])
def test_a_second_one_waits_for_the_end_of_the_first(engine: Engine, database: psycopg.Connection, commits: bool):
    answers: list[bool] = []
    with Session(engine) as session:
        assert once(session, "waits")
        second = threading.Thread(target=lambda: answers.append(book(engine, "waits")))
        second.start()
        wait_for(lambda: (database.execute(WAITING).fetchone() or (0,))[0] == 1)
        assert not answers
        (session.commit if commits else session.rollback)()
    second.join(10)
    assert answers == [not commits]


def test_a_process_killed_before_its_commit_has_done_nothing(
    engine: Engine, database: psycopg.Connection, postgres: Database
):
    died = subprocess.run([sys.executable, "-c", KILLED, postgres.url], env=os.environ, check=False, timeout=60)
    assert died.returncode == -signal.SIGKILL
    assert book(engine, "killed")
    assert bookings(database) == 1


def test_in_a_coroutine(postgres: Database, database: psycopg.Connection):
    async def ask() -> list[bool]:
        engine = create_async_engine(postgres.url)
        async with AsyncSession(engine) as session:
            answers = [await session.run_sync(once, "async") for _ in range(2)]
            await session.commit()
        await engine.dispose()
        return answers

    assert asyncio.run(ask()) == [True, False]


@pytest.mark.parametrize("key", ["", "x" * 501])
def test_a_key_that_names_nothing_or_is_too_long_is_refused(engine: Engine, key: str):
    with Session(engine) as session, pytest.raises(ValueError, match="1 to 500 characters"):
        once(session, key)


def test_a_key_of_the_greatest_length_in_any_script(engine: Engine, database: psycopg.Connection):
    assert book(engine, "𝄞" * 500)
    assert not book(engine, "𝄞" * 500)
