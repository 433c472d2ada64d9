"""Calls in the outbox of a real PostgreSQL reach real workers once, whatever dies on the way and however long."""

import asyncio
import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, create_engine, make_url
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session, sessionmaker

from datastore.migrator import Migrator
from devstack.postgres import Database
from devstack.valkey import Valkey
from devstack.waiting import wait_for
from devstack.worker import WorkerProcess
from taskclient.client import TaskClient
from taskclient.errors import InvalidTaskName, PayloadNotSerializable
from workerkit import outbox
from workerkit.outbox import Relayed, enqueue_after_commit, send_waiting

EFFECTS = Path(__file__).parent / "effects"
WORK, MARK = "app.tasks.effects.work", "app.tasks.demo.mark"
# A process of its own that commits a call, and what then becomes of it.
CALLER = """
import os, signal, sys, time
from sqlalchemy import create_engine
from sqlalchemy.orm import Session
from workerkit import outbox
database, broker, end = sys.argv[1:]
outbox.configure(broker)
with Session(create_engine(database)) as session:
    outbox.enqueue_after_commit(session, "app.tasks.effects.work", name="caller")
    session.commit()
if end == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
assert "celery" not in sys.modules and "kombu" not in sys.modules
time.sleep(float(end))
"""
# A relay that dies between a push and the commit of its deletion.
DYING_RELAY = """
import os, signal, sys
from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker
from taskclient.client import TaskClient
from workerkit.outbox import send_waiting
database, broker, last = sys.argv[1:]
class Dying(TaskClient):
    left = int(last)
    def send_payload(self, *args, **options):
        handle = super().send_payload(*args, **options)
        self.left -= 1
        if not self.left:
            os.kill(os.getpid(), signal.SIGKILL)
        return handle
send_waiting(sessionmaker(create_engine(database)).begin, Dying(broker))
"""


@pytest.fixture
def database(postgres: Database) -> Iterator[psycopg.Connection]:
    Migrator(make_url(postgres.url)).upgrade()
    with postgres.connect() as connection:
        yield connection


@pytest.fixture
def engine(postgres: Database, database: psycopg.Connection) -> Iterator[Engine]:
    made = create_engine(postgres.url, pool_size=50)
    yield made
    outbox.configure(None)
    made.dispose()


@pytest.fixture
def relay(engine: Engine, valkey: Valkey) -> Iterator[Callable[[], Relayed]]:
    """What the maintenance service does every few seconds."""
    with TaskClient(valkey.url) as client:
        yield lambda: send_waiting(sessionmaker(engine).begin, client)


def commit(engine: Engine, *names: str, task: str = MARK) -> list[str]:
    with Session(engine) as session, session.begin():
        return [enqueue_after_commit(session, task, name=name) for name in names]


def rows(database: psycopg.Connection) -> int:
    (count,) = database.execute("SELECT count(*) FROM outbox").fetchone() or (0,)
    return int(count)


def messages(server: Valkey, queue: str = "demo") -> list[dict[str, Any]]:
    """What is in a queue, the first one first."""
    with server.client() as redis:
        return [json.loads(raw) for raw in reversed(redis.lrange(queue, 0, -1))]


def names(server: Valkey) -> list[str]:
    return [json.loads(base64.b64decode(message["body"]))[1]["name"] for message in messages(server)]


def run(code: str, *arguments: str) -> int:
    argv = [sys.executable, "-c", code, *arguments]
    return subprocess.run(argv, env=os.environ, check=False, timeout=60).returncode


def test_a_commit_sends_and_a_rollback_does_not(engine: Engine, database: psycopg.Connection, valkey: Valkey):
    outbox.configure(valkey.url)
    with Session(engine) as session:
        enqueue_after_commit(session, MARK, name="lost")
        session.rollback()
        sent = enqueue_after_commit(session, MARK, {"name": "one"}, correlation_id="c", idempotency_key="k")
        session.commit()
        own_key = enqueue_after_commit(session, MARK, name="two", queue="demo")
        session.commit()
    wait_for(lambda: names(valkey) == ["one", "two"])
    wait_for(lambda: rows(database) == 0)
    one, two = (message["headers"] for message in messages(valkey))
    assert (one["id"], one["x-correlation-id"], one["idempotency-key"]) == (sent, "c", "k")
    assert (two["id"], two["idempotency-key"]) == (own_key, own_key)


def test_a_savepoint_sends_nothing_before_the_commit(engine: Engine, database: psycopg.Connection, valkey: Valkey):
    outbox.configure(valkey.url)
    with Session(engine) as session, session.begin():
        with session.begin_nested():
            enqueue_after_commit(session, MARK, name="kept")
        with session.begin_nested() as undone:
            enqueue_after_commit(session, MARK, name="undone")
            undone.rollback()
        time.sleep(0.5)
        assert names(valkey) == []
    wait_for(lambda: names(valkey) == ["kept"])


def test_in_a_coroutine(postgres: Database, database: psycopg.Connection, valkey: Valkey):
    async def call() -> None:
        engine = create_async_engine(postgres.url)
        async with AsyncSession(engine) as session:
            await session.run_sync(enqueue_after_commit, MARK, name="async")
            await session.commit()
        await engine.dispose()

    outbox.configure(valkey.url)
    asyncio.run(call())
    wait_for(lambda: names(valkey) == ["async"])
    outbox.configure(None)


def test_many_calls_keep_their_order(engine: Engine, relay: Callable[[], Relayed], valkey: Valkey):
    wanted = [str(number) for number in range(250)]
    commit(engine, *wanted[:240])
    commit(engine, *wanted[240:])
    assert relay() == Relayed(sent=250)
    assert names(valkey) == wanted
    assert relay() == Relayed()


def test_relays_at_the_same_time_send_each_call_once_and_in_order(engine: Engine, valkey: Valkey):
    wanted = [str(number) for number in range(300)]
    commit(engine, *wanted)
    with TaskClient(valkey.url) as client, ThreadPoolExecutor(5) as pool:
        relayed = list(pool.map(lambda _: send_waiting(sessionmaker(engine).begin, client), range(5)))
    assert sum(one.sent for one in relayed) == 300
    assert names(valkey) == wanted


def test_fifty_callers_at_once_have_each_call_run_once(
    engine: Engine, database: psycopg.Connection, valkey: Valkey, tmp_path: Path
):
    outbox.configure(valkey.url)
    with WorkerProcess(valkey, EFFECTS, "effects_app", folder=tmp_path) as worker:
        with ThreadPoolExecutor(50) as pool:
            list(pool.map(lambda number: commit(engine, f"call-{number}", task=WORK), range(50)))
        wait_for(lambda: rows(database) == 0, 30)
        wait_for(lambda: all(worker.trace(f"call-{number}") == ["start", "end"] for number in range(50)), 30)


def test_what_would_be_refused_later_is_refused_at_once_and_the_transaction_goes_on(
    engine: Engine, database: psycopg.Connection
):
    with Session(engine) as session, session.begin():
        with pytest.raises(InvalidTaskName):
            enqueue_after_commit(session, "mark", name="x")
        with pytest.raises(PayloadNotSerializable):
            enqueue_after_commit(session, MARK, name=object())
        with pytest.raises(ValueError, match="idempotency key is empty"):
            enqueue_after_commit(session, MARK, name="x", idempotency_key="")
        enqueue_after_commit(session, MARK, name="a \0 is JSON, too")
    assert rows(database) == 1


def test_a_call_that_can_never_be_sent_is_kept_with_its_error_and_holds_nobody_back(
    engine: Engine, database: psycopg.Connection, relay: Callable[[], Relayed], valkey: Valkey
):
    by_hand = "INSERT INTO outbox (id, name, payload, queue) VALUES (gen_random_uuid(), %s, %s, 'demo')"
    database.execute(by_hand, ["a wrong name", "{}"])
    database.execute(by_hand, [MARK, "[1]"])
    commit(engine, "good")
    assert relay() == Relayed(sent=1, failed=2)
    assert relay() == Relayed()
    assert names(valkey) == ["good"]
    errors = [error for (error,) in database.execute("SELECT error FROM outbox ORDER BY number")]
    assert errors[0].startswith("InvalidTaskName: 'a wrong name' is not a task's name")
    assert len(errors) == 2
    database.execute('UPDATE outbox SET name = %s, payload = \'{"name": "mended"}\', error = NULL', [MARK])
    assert relay() == Relayed(sent=2)


def test_a_queue_that_takes_nothing_holds_no_other_back(
    engine: Engine, database: psycopg.Connection, relay: Callable[[], Relayed], valkey: Valkey
):
    with valkey.client() as redis:
        redis.set("effects", "no list")
        commit(engine, *[str(number) for number in range(150)], task=WORK)
        commit(engine, "free")
        relayed = relay()
        assert (relayed.sent, relayed.failed) == (1, 0)
        assert "WRONGTYPE" in str(relayed.away)
        redis.delete("effects")
    assert relay() == Relayed(sent=150)
    assert rows(database) == 0


def test_a_full_queue_waits_and_holds_no_other_back(engine: Engine, database: psycopg.Connection, valkey: Valkey):
    commit(engine, *[str(number) for number in range(10)], task=WORK)
    commit(engine, "free")
    with TaskClient(valkey.url, max_backlog=3) as client:
        relayed = send_waiting(sessionmaker(engine).begin, client)
    assert relayed.away is not None
    assert names(valkey) == ["free"]
    assert rows(database) == 11 - relayed.sent


def test_redis_away_delays_no_caller_and_loses_nothing(
    engine: Engine, database: psycopg.Connection, own_valkey: Valkey
):
    outbox.configure(own_valkey.url)
    own_valkey.kill()
    began = time.monotonic()
    for number in range(20):
        commit(engine, str(number))
    assert time.monotonic() - began < 10
    time.sleep(4)
    assert rows(database) == 20
    own_valkey.start()
    own_valkey.wait_ready()
    wait_for(lambda: rows(database) == 0, 40)
    assert names(own_valkey) == [str(number) for number in range(20)]


@pytest.mark.parametrize("last", [1, 3])
def test_a_relay_killed_between_push_and_deletion_sends_again_and_the_task_runs_once(
    engine: Engine,
    database: psycopg.Connection,
    relay: Callable[[], Relayed],
    valkey: Valkey,
    postgres: Database,
    tmp_path: Path,
    last: int,
):
    ids = commit(engine, "a", "b", "c", task=WORK)
    assert run(DYING_RELAY, postgres.url, valkey.url, str(last)) == -signal.SIGKILL
    assert (len(messages(valkey, "effects")), rows(database)) == (last, 3)
    assert relay() == Relayed(sent=3)
    assert len(messages(valkey, "effects")) == 3 + last
    with WorkerProcess(valkey, EFFECTS, "effects_app", folder=tmp_path) as worker, TaskClient(valkey.url) as client:
        results = [client.handle(task_id).result(60) for task_id in ids]
        assert client.send(WORK, name="after").result(60)["run"] == 1
        wait_for(lambda: worker.log.read_text().count("the result of the first call is returned") >= last, 30)
        assert [result["run"] for result in results] == [1, 1, 1]
        assert [worker.trace(name) for name in "abc"] == [["start", "end"]] * 3


@pytest.mark.parametrize("end", ["killed", "0"])
def test_a_caller_that_ends_right_after_its_commit_has_its_call_sent_by_the_relay(
    database: psycopg.Connection,
    relay: Callable[[], Relayed],
    valkey: Valkey,
    postgres: Database,
    tmp_path: Path,
    end: str,
):
    run(CALLER, postgres.url, valkey.url, end)
    assert len(messages(valkey, "effects")) + rows(database) >= 1
    relay()
    assert rows(database) == 0
    with WorkerProcess(valkey, EFFECTS, "effects_app", folder=tmp_path) as worker:
        wait_for(lambda: worker.trace("caller") == ["start", "end"])
        wait_for(lambda: not messages(valkey, "effects"))
        time.sleep(1)
        assert worker.trace("caller") == ["start", "end"]


def test_a_plain_process_needs_neither_celery_nor_a_relay(
    database: psycopg.Connection, valkey: Valkey, postgres: Database
):
    assert run(CALLER, postgres.url, valkey.url, "3") == 0
    assert len(messages(valkey, "effects")) == 1
    assert rows(database) == 0
