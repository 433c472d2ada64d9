"""Sessions on a real PostgreSQL, in this process and in real workers."""

import asyncio
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import exc, text

from devstack.waiting import wait_for
from devstack.worker import WORKER, WorkerProcess
from taskclient.client import TaskClient
from workerkit import event_loop
from workerkit.database import configure, dispose, get_sync_db, get_task_session
from workerkit.errors import TransientError
from workerkit.event_loop import WrongThread, run_async

TOOLBOX = Path(__file__).parent / "toolbox"
KINDS = ["app.tasks.toolbox.write", "app.tasks.toolbox.write_async"]
ONE_ROW = text("INSERT INTO row (number) VALUES (1)")


def make_table(connection):
    connection.execute("CREATE TABLE row (number integer PRIMARY KEY, process integer)")


@pytest.fixture
def table(postgres):
    """A connection of our own to a database with an empty table."""
    with postgres.connect() as connection:
        make_table(connection)
        yield connection


@pytest.fixture
def here(postgres, table):
    """This process as the client."""
    configure(postgres.url, application_name="here")
    yield table
    dispose()
    event_loop.close()


@pytest.fixture
def start(tmp_path):
    """Starts a worker of the toolbox."""

    @contextmanager
    def start_worker(valkey, url, *arguments):
        settings = {"DATABASE_URL": url}
        options = {"folder": tmp_path, "arguments": (*WORKER, *arguments), "settings": settings}
        with WorkerProcess(valkey, TOOLBOX, "toolbox_app", **options) as worker, TaskClient(valkey.url) as client:
            yield worker, client

    return start_worker


def numbers(connection):
    return [number for (number,) in connection.execute("SELECT number FROM row ORDER BY number")]


def connections(connection, name):
    query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s"
    return connection.execute(query, (name,)).fetchone()[0]


def in_sync(statement, error=None):
    with get_sync_db() as session:
        result = session.execute(statement)
        if error:
            raise error
        return result.scalar() if result.returns_rows else None


def in_coroutine(statement, error=None):
    async def work():
        async with get_task_session() as session:
            result = await session.execute(statement)
            if error:
                raise error
            return result.scalar() if result.returns_rows else None

    return run_async(work(), timeout=20)


both = pytest.mark.parametrize("execute", [in_sync, in_coroutine])


@both
def test_a_block_that_ends_well_is_committed(here, execute):
    execute(ONE_ROW)
    assert numbers(here) == [1]


@both
@pytest.mark.parametrize("error", [KeyError, SystemExit])
def test_a_block_that_raises_is_rolled_back(here, execute, error):
    with pytest.raises(error):
        execute(ONE_ROW, error)
    assert numbers(here) == []


@both
def test_a_violated_constraint_stays_what_it_is(here, execute):
    execute(ONE_ROW)
    with pytest.raises(exc.IntegrityError):
        execute(ONE_ROW)


@both
def test_one_connection_serves_block_after_block(here, execute):
    pids = {execute(text("SELECT pg_backend_pid()")) for _ in range(20)}
    assert (len(pids), connections(here, "here")) == (1, 1)


@both
def test_a_connection_lost_in_the_block_is_transient_and_the_next_block_works(here, execute):
    with pytest.raises(TransientError, match="terminating connection") as caught:
        execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    assert isinstance(caught.value.__cause__, exc.DBAPIError)
    assert execute(text("SELECT 42")) == 42


@both
def test_a_connection_lost_between_blocks_is_not_even_noticed(here, execute):
    old = execute(text("SELECT pg_backend_pid()"))
    here.execute("SELECT pg_terminate_backend(%s, 5000)", (old,))
    assert execute(text("SELECT pg_backend_pid()")) != old


@both
def test_a_driver_s_own_error_counts_too(here, execute):
    with pytest.raises(TransientError, match="away or busy: gone"):
        execute(text("SELECT 1"), psycopg.OperationalError("gone"))


@both
def test_an_error_shows_no_values(here, execute):
    with pytest.raises(exc.DataError) as caught:
        execute(text("INSERT INTO row (number) VALUES (:number)").bindparams(number=10**12))
    assert "1000000000000" not in str(caught.value)


@both
def test_the_server_ends_a_long_statement(postgres, here, execute):
    configure(postgres.url, application_name="here", statement_timeout=0.3)
    with pytest.raises(TransientError, match="statement timeout"):
        execute(text("SELECT pg_sleep(10)"))


@both
def test_no_server_is_transient_and_shows_no_password(execute):
    configure("postgresql+psycopg://me:hush@127.0.0.1:1/none", application_name="x")
    with pytest.raises(TransientError, match=r"127\.0\.0\.1") as caught:
        execute(text("SELECT 1"))
    assert "hush" not in str(caught.value)
    dispose()
    event_loop.close()


def test_a_coroutine_on_another_loop_is_refused(here):
    async def work():
        async with get_task_session():
            pass

    with pytest.raises(WrongThread, match="run_async"):
        asyncio.run(work())


def test_many_coroutines_share_the_pool(here):
    async def work(number):
        async with get_task_session() as session:
            await session.execute(text("INSERT INTO row (number) VALUES (:number)"), {"number": number})

    async def all_of_them():
        await asyncio.gather(*(work(number) for number in range(50)))

    run_async(all_of_them())
    assert (numbers(here), connections(here, "here")) == (list(range(50)), 2)


def test_another_database_s_url_is_refused():
    with pytest.raises(ValueError, match="must with postgresql"):
        configure("sqlite://", application_name="x")


FORK = """
import os, sys
from sqlalchemy import text
from workerkit.database import configure, get_sync_db, get_task_session
from workerkit.event_loop import run_async

def sync():
    with get_sync_db() as session:
        return session.scalar(text("SELECT pg_backend_pid()"))
async def asynchronous():
    async with get_task_session() as session:
        return await session.scalar(text("SELECT pg_backend_pid()"))
def pids():
    return {sync(), run_async(asynchronous())}

configure(sys.argv[1], application_name="parent")
parent = pids()
with get_sync_db() as session:  # a connection in use
    child = os.fork()
    if not child:
        mine = pids()
        os._exit(7 if len(mine) == 2 and mine.isdisjoint(parent) else 8)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
assert pids() == parent
"""


def test_a_forked_child_shares_no_connection_and_leaves_the_parent_s_alone(postgres):
    program = [sys.executable, "-W", "error", "-c", FORK, postgres.url]
    done = subprocess.run(program, capture_output=True, text=True, check=False, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_app_does_not_import_sqlalchemy():
    code = "import sys, workerkit.app; print('sqlalchemy' in sys.modules, 'psycopg' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


@contextmanager
def highest_count(postgres, name):
    """Looks all the time how many connections there are."""
    seen, done = [0], threading.Event()

    def look():
        with postgres.connect() as connection:
            while not done.wait(0.01):
                seen.append(connections(connection, name))

    thread = threading.Thread(target=look)
    thread.start()
    yield seen
    done.set()
    thread.join()


def test_two_hundred_tasks_hold_a_connection_per_process_and_kind(valkey, postgres, table, start, record_property):
    with (
        start(valkey, postgres.url, "--concurrency", "2") as (_worker, client),
        highest_count(postgres, "toolbox") as seen,
    ):
        began = time.monotonic()
        handles = [client.send(KINDS[number % 2], number=number) for number in range(200)]
        processes = {handle.result(60) for handle in handles}
        record_property("seconds for 200 tasks", round(time.monotonic() - began, 2))
    record_property("connections of 2 processes at most", max(seen))
    assert numbers(table) == list(range(200))
    assert (len(processes), 2 <= max(seen) <= 2 * 2) == (2, True)
    wait_for(lambda: connections(table, "toolbox") == 0)


def test_what_a_soft_time_limit_cuts_off_is_rolled_back_and_leaves_the_pool_whole(valkey, postgres, table, start):
    with start(valkey, postgres.url, "--concurrency", "1") as (_worker, client):
        for number in range(3):  # more often than the pool is large
            for task in ("app.tasks.toolbox.dawdle", "app.tasks.toolbox.dawdle_async"):
                assert client.send(task, number=number).result(60) == "cut off"
        busy = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'toolbox' AND state <> 'idle'"
        wait_for(lambda: table.execute(busy).fetchone()[0] == 0, seconds=2)
        for kind in KINDS:
            client.send(kind, number=KINDS.index(kind)).result(60)
        assert numbers(table) == [0, 1]


def test_a_restarted_server_costs_retries_and_no_row(valkey, own_postgres, start, record_property):
    with own_postgres.database("postgres").connect() as connection:
        make_table(connection)
    with start(valkey, own_postgres.url) as (worker, client):
        handles = [client.send(KINDS[number % 2], number=number, seconds=0.05) for number in range(100)]
        wait_for(lambda: handles[10].status() == "SUCCESS")
        own_postgres.kill()
        time.sleep(1)
        own_postgres.start()
        own_postgres.wait_ready()
        began = time.monotonic()
        assert all(isinstance(handle.result(90), int) for handle in handles)
        record_property("seconds from the server's return to the last result", round(time.monotonic() - began, 1))
        retries = worker.log.read_text().count("the database is away or busy")
    record_property("retries", retries)
    with own_postgres.database("postgres").connect() as connection:
        assert numbers(connection) == list(range(100))
    assert retries
