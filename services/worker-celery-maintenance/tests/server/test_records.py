"""Old rows go from a real database, and only they, in short transactions, whoever else is at work."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import psycopg
import pytest

from app.adapters.database import DatabaseRecords
from app.processors.records_processor import RecordsProcessor
from datastore.jobs import STAGING_SCHEMA, staging_table
from devstack.postgres import Database
from workerkit.database import get_sync_db

NOW = datetime(2013, 7, 1, 2, tzinfo=UTC)
FINAL = ["succeeded", "failed", "cancelled"]

# The server itself notes how many rows each transaction deletes.
COUNT_DELETED = """
    CREATE TABLE batches (transaction text, deleted bigint);
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO batches SELECT pg_current_xact_id()::text, count(*) FROM gone; RETURN NULL;
    END $$;
    CREATE TRIGGER note AFTER DELETE ON {} REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION note();
"""
BATCHES = "SELECT sum(deleted)::bigint FROM batches GROUP BY transaction"
ENTRIES = """
    INSERT INTO log_entries (created_at, service, level, event)
    SELECT %s - i * interval '1 second', 'etl', 'info', 'loaded' FROM generate_series(1, %s) i
"""


@pytest.fixture
def processor(database: psycopg.Connection) -> RecordsProcessor:
    return RecordsProcessor(DatabaseRecords(get_sync_db), lambda: NOW)


def ago(days: float = 0, **more: float) -> datetime:
    return NOW - timedelta(days=days, **more)


def rows(database: psycopg.Connection, query: str, *values: object) -> list:
    return [row[0] for row in database.execute(query, values)]


def add_user(database: psycopg.Connection, name: str, seen: datetime | None, made: datetime, active: bool = True):
    database.execute(
        "INSERT INTO users (email, name, last_seen_at, created_at, active) VALUES (%s, %s, %s, %s, %s)",
        [name, name, seen, made, active],
    )


def add_job(database: psycopg.Connection, state: str, changed: datetime, rejected: int = 0) -> UUID:
    job = uuid4()
    database.execute(
        "INSERT INTO jobs (id, kind, state, payload, updated_at) VALUES (%s, 'etl', %s, '{}', %s)",
        [job, state, changed],
    )
    database.execute(
        "INSERT INTO rejected_rows (job_id, source, line, reason, raw)"
        " SELECT %s, 'flights', i, 'no', '' FROM generate_series(1, %s) i",
        [job, rejected],
    )
    return job


def add_staging(database: psycopg.Connection, job: UUID) -> str:
    database.execute(f"CREATE SCHEMA IF NOT EXISTS {STAGING_SCHEMA}")
    database.execute(f"CREATE UNLOGGED TABLE {STAGING_SCHEMA}.{staging_table(job)} (line int)")
    return staging_table(job)


def test_100_000_log_entries_go_a_thousand_at_a_time(processor: RecordsProcessor, database: psycopg.Connection):
    database.execute(COUNT_DELETED.format("log_entries"))
    database.execute(ENTRIES, [ago(30), 100_000])
    database.execute(ENTRIES, [NOW, 500])
    assert processor.prune_logs(30) == 100_000
    batches = rows(database, BATCHES)
    assert sum(batches) == 100_000
    assert max(batches) <= 1000
    assert rows(database, "SELECT count(*) FROM log_entries") == [500]
    assert processor.prune_logs(30) == 0


def test_an_entry_of_exactly_that_age_stays(processor: RecordsProcessor, database: psycopg.Connection):
    for moment in (ago(30), ago(30, microseconds=1), ago(30, microseconds=-1)):
        database.execute(ENTRIES, [moment + timedelta(seconds=1), 1])
    assert processor.prune_logs(30) == 1
    assert sorted(rows(database, "SELECT created_at FROM log_entries")) == [ago(30), ago(30, microseconds=-1)]


def test_what_is_written_meanwhile_stays(processor: RecordsProcessor, database: psycopg.Connection, migrated: Database):
    database.execute(ENTRIES, [ago(30), 30_000])

    def write() -> None:
        with migrated.connect() as other:
            for _ in range(200):
                other.execute(ENTRIES, [NOW, 5])

    with ThreadPoolExecutor() as pool:
        writing = pool.submit(write)
        assert processor.prune_logs(30) == 30_000
        writing.result(timeout=60)
    assert rows(database, "SELECT count(*) FROM log_entries") == [1000]


def test_two_at_once_share_the_work(processor: RecordsProcessor, database: psycopg.Connection):
    database.execute(ENTRIES, [ago(30), 20_000])
    with ThreadPoolExecutor() as pool:
        counts = [pool.submit(processor.prune_logs, 30) for _ in range(2)]
        assert sum(count.result(timeout=60) for count in counts) == 20_000
    assert rows(database, "SELECT count(*) FROM log_entries") == [0]


def test_who_was_not_seen_is_deactivated_once(processor: RecordsProcessor, database: psycopg.Connection):
    add_user(database, "gone", seen=ago(365, seconds=1), made=ago(900))
    add_user(database, "at the boundary", seen=ago(365), made=ago(900))
    add_user(database, "here", seen=ago(1), made=ago(900))
    add_user(database, "never seen", seen=None, made=ago(365, seconds=1))
    add_user(database, "new", seen=None, made=ago(365))
    add_user(database, "inactive already", seen=ago(900), made=ago(900), active=False)
    before = rows(database, "SELECT updated_at FROM users WHERE name = 'gone'")
    active = "SELECT name FROM users WHERE active ORDER BY name"
    assert processor.deactivate_inactive_users(365, dry_run=True) == 2
    assert len(rows(database, active)) == 5
    assert processor.deactivate_inactive_users(365) == 2
    assert rows(database, active) == ["at the boundary", "here", "new"]
    assert rows(database, "SELECT updated_at FROM users WHERE name = 'gone'") > before
    assert processor.deactivate_inactive_users(365) == 0


def test_many_users_are_deactivated_a_thousand_at_a_time(processor: RecordsProcessor, database: psycopg.Connection):
    database.execute(
        "INSERT INTO users (email, name, last_seen_at) SELECT i, i, %s FROM generate_series(1, 2500) i", [ago(400)]
    )
    assert processor.deactivate_inactive_users(365) == 2500
    batches = rows(database, "SELECT count(*) FROM users WHERE NOT active GROUP BY xmin::text")
    assert sorted(batches) == [500, 1000, 1000]


def test_only_old_jobs_that_ended_go_and_their_rejected_rows_with_them(
    processor: RecordsProcessor, database: psycopg.Connection
):
    database.execute(COUNT_DELETED.format("rejected_rows"))
    for state in FINAL:
        add_job(database, state, ago(90, seconds=1), rejected=1200)
    kept = {add_job(database, state, ago(90), rejected=1) for state in FINAL}
    kept |= {add_job(database, state, ago(900), rejected=1) for state in ("pending", "running")}
    assert processor.remove_old_jobs(90) == 3
    assert set(rows(database, "SELECT id FROM jobs")) == kept
    assert set(rows(database, "SELECT job_id FROM rejected_rows")) == kept
    batches = rows(database, BATCHES)
    assert (sum(batches), max(batches)) == (3600, 1000)


def test_staging_tables_of_jobs_that_are_gone_or_left_alone_are_dropped(
    processor: RecordsProcessor, database: psycopg.Connection, migrated: Database
):
    states = (*FINAL, "running")
    for state in states:
        add_staging(database, add_job(database, state, ago(1, seconds=1)))
    add_staging(database, uuid4())
    kept = {add_staging(database, add_job(database, state, ago(1))) for state in states}
    in_use = add_staging(database, uuid4())
    database.execute(f"CREATE TABLE {STAGING_SCHEMA}.job_list (id int); CREATE TABLE {staging_table(uuid4())} (id int)")
    remaining = "SELECT relname FROM pg_class WHERE relnamespace = 'etl_staging'::regnamespace"
    with migrated.connect() as other, other.transaction():
        other.execute(f"LOCK TABLE {STAGING_SCHEMA}.{in_use} IN ACCESS SHARE MODE")  # as any query does
        assert processor.remove_staging_tables(1) == len(states) + 1
    assert set(rows(database, remaining)) == kept | {in_use, "job_list"}
    assert processor.remove_staging_tables(1) == 1
    assert set(rows(database, remaining)) == kept | {"job_list"}
