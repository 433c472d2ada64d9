"""A real worker cleans everything up when a client asks for it, and says what failed."""

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from datastore.jobs import STAGING_SCHEMA, staging_table
from devstack.postgres import Database
from devstack.valkey import Valkey
from devstack.waiting import wait_for
from devstack.worker import WorkerProcess
from taskclient.client import TaskClient
from taskclient.errors import TaskFailed, TaskRejected

SERVICE = Path(__file__).parents[2]
LONG_AGO = "2013-01-01T00:00:00+00:00"
NOTHING = {"log_entries": 0, "users": 0, "artifacts": 0, "results": 0, "jobs": 0, "staging_tables": 0, "effects": 0}


@pytest.fixture
def worker(valkey: Valkey, migrated: Database, tmp_path: Path) -> Iterator[WorkerProcess]:
    settings = {"DATABASE_URL": migrated.url, "STORAGE_URL": (tmp_path / "storage").as_uri()}
    with WorkerProcess(valkey, SERVICE, "app.celery_app", folder=tmp_path, settings=settings) as process:
        yield process


@pytest.fixture
def client(valkey: Valkey, worker: WorkerProcess) -> Iterator[TaskClient]:
    with TaskClient(valkey.url, check=False) as connected:
        yield connected


def test_everything_old_is_gone_and_counted(
    client: TaskClient, database: psycopg.Connection, valkey: Valkey, tmp_path: Path
):
    database.execute(
        "INSERT INTO log_entries (created_at, service, level, event) VALUES (%s, 'etl', 'info', 'x')", [LONG_AGO]
    )
    database.execute("INSERT INTO users (email, name, created_at) VALUES ('a@example.com', 'Ada', %s)", [LONG_AGO])
    database.execute(
        f"CREATE SCHEMA {STAGING_SCHEMA}; CREATE TABLE {STAGING_SCHEMA}.{staging_table(UUID(int=0))} (id int)"
    )
    database.execute("INSERT INTO effects (key, created_at) VALUES ('old', %s), ('new', now())", [LONG_AGO])
    with valkey.client(1) as results:
        results.set("celery-task-meta-1", json.dumps({"status": "SUCCESS", "date_done": LONG_AGO}))
    wanted = NOTHING | {"log_entries": 1, "users": 1, "staging_tables": 1, "results": 1, "effects": 1}
    assert client.send("app.tasks.maintenance.cleanup").result(timeout=60) == wanted
    assert client.send("app.tasks.maintenance.cleanup").result(timeout=60) == NOTHING


def test_a_single_task_takes_an_age_and_refuses_none(client: TaskClient, database: psycopg.Connection):
    database.execute("INSERT INTO users (email, name, created_at) VALUES ('a@example.com', 'Ada', %s)", [LONG_AGO])
    task = "app.tasks.maintenance.deactivate_inactive_users"
    assert client.send(task, days=1, dry_run=True).result(timeout=60) == 1
    assert client.send(task, days=1).result(timeout=60) == 1
    with pytest.raises(TaskRejected, match="days"):
        client.send(task, days=0).result(timeout=60)


def test_the_outbox_is_emptied_in_order_and_what_can_never_be_sent_stays(
    client: TaskClient, database: psycopg.Connection, valkey: Valkey
):
    by_hand = "INSERT INTO outbox (id, name, payload, queue) VALUES (%s, %s, '{}', 'away')"
    for number in range(3):
        database.execute(by_hand, [UUID(int=number), "app.tasks.away.mark"])
    database.execute(by_hand, [UUID(int=9), "wrong"])
    client.send("app.tasks.maintenance.relay_outbox")
    with valkey.client() as redis:
        wait_for(lambda: redis.llen("away") == 3)
        sent = [json.loads(raw)["headers"]["id"] for raw in reversed(redis.lrange("away", 0, -1))]
    assert sent == [str(UUID(int=number)) for number in range(3)]
    left = lambda: database.execute("SELECT name, error FROM outbox").fetchall()  # noqa: E731
    wait_for(lambda: len(left()) == 1)
    ((name, error),) = left()
    assert (name, error.startswith("InvalidTaskName")) == ("wrong", True)


def test_a_step_that_fails_is_named_when_all_others_are_done(
    client: TaskClient, database: psycopg.Connection, tmp_path: Path
):
    database.execute(
        "INSERT INTO log_entries (created_at, service, level, event) VALUES (%s, 'etl', 'info', 'x')", [LONG_AGO]
    )
    database.execute("DROP TABLE users")
    with pytest.raises(TaskFailed, match=r"1 of 7 steps failed: users: .*log_entries 1") as caught:
        client.send("app.tasks.maintenance.cleanup").result(timeout=60)
    assert caught.value.error_type == "PermanentError"
