"""Migrations on a real server: they make what the models say, can be taken back, and run once however many start."""

import os
import subprocess
import sys
import time
from threading import Thread

import pytest
from sqlalchemy import URL, Engine, create_engine, make_url, text

from datastore.migrator import MigrationError, Migrator, head_revision
from datastore.schema import metadata
from devstack.ports import free_port
from devstack.postgres import Postgres

# Alembic's comparison sees no check constraints; the catalog of the server knows everything.
COLUMNS = """
    SELECT table_name, column_name, ordinal_position, data_type, character_maximum_length, is_nullable, column_default,
        identity_generation
    FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version'
"""
CONSTRAINTS = """
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace AND conrelid <> 'alembic_version'::regclass
"""
INDEXES = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version'"


def migrate(url: URL, *arguments: str) -> subprocess.Popen[str]:
    address = f"postgresql://{url.username}@{url.host}:{url.port}/{url.database}"
    environment = {**os.environ, "DATABASE_URL": address, "DATABASE_PASSWORD": url.password}
    argv = [sys.executable, "-W", "error", "-m", "datastore.migrate", *arguments]
    return subprocess.Popen(argv, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def output(process: subprocess.Popen[str], code: int = 0) -> str:
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, out + err
    return out + err


def catalog(engine: Engine) -> dict[str, list[tuple]]:
    with engine.connect() as connection:
        asked = {"columns": COLUMNS, "constraints": CONSTRAINTS, "indexes": INDEXES}
        return {name: sorted(map(tuple, connection.execute(text(query)))) for name, query in asked.items()}


def tables(url: URL) -> set[str]:
    engine = create_engine(url)
    with engine.connect() as connection:
        names = connection.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).all()
    engine.dispose()
    return set(names)


def test_upgrade_makes_exactly_what_the_models_say(url: URL, session_postgres: Postgres):
    assert Migrator(url).upgrade() is None
    assert Migrator(url).check() == []
    with session_postgres.new_database() as other:
        migrated, modelled = create_engine(url), create_engine(other.url)
        metadata.create_all(modelled)
        with modelled.begin() as connection:
            connection.execute(text("CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)"))
        found, wanted = catalog(migrated), catalog(modelled)
        migrated.dispose()
        modelled.dispose()
    assert found == wanted
    assert len(found["constraints"]) > 40


def test_check_names_what_the_models_do_not_have(url: URL):
    Migrator(url).upgrade()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE airlines ADD COLUMN motto text"))
    engine.dispose()
    assert "motto" in output(migrate(url, "check"), code=1)


def test_the_command_goes_up_down_to_nothing_and_up_again(url: URL):
    head = head_revision()
    assert "no revision" in output(migrate(url, "check"), code=1)
    assert output(migrate(url, "upgrade")) == f"no revision -> {head}\n"
    assert output(migrate(url, "upgrade")) == f"already at {head}\n"
    assert output(migrate(url, "current")) == f"{head}\n"
    assert output(migrate(url, "downgrade", "base")) == f"{head} -> no revision\n"
    assert tables(url) == {"alembic_version"}
    assert output(migrate(url, "upgrade")) == f"no revision -> {head}\n"
    assert output(migrate(url, "check")) == "the database is what the models say\n"


def test_each_revision_can_be_taken_back_alone(url: URL):
    output(migrate(url, "upgrade"))
    assert {"users", "log_entries"} < tables(url)
    assert output(migrate(url, "downgrade", "0001")) == f"{head_revision()} -> 0001\n"
    assert not {"users", "log_entries"} & tables(url)
    assert {"jobs", "flights", "daily_statistics"} < tables(url)
    assert output(migrate(url, "upgrade")) == f"0001 -> {head_revision()}\n"
    assert Migrator(url).check() == []


def test_of_concurrent_upgrades_one_does_the_work_and_all_succeed(url: URL):
    started = [migrate(url, "upgrade") for _ in range(3)]
    outputs = sorted(output(process) for process in started)
    assert outputs == [f"already at {head_revision()}\n"] * 2 + [f"no revision -> {head_revision()}\n"]
    assert Migrator(url).check() == []


def test_the_database_of_a_newer_version_is_left_alone(url: URL):
    Migrator(url).upgrade()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    assert "needs a newer version" in output(migrate(url, "upgrade"), code=1)


def test_it_waits_for_the_server_to_come_up(own_postgres: Postgres):
    own_postgres.stop()
    migrator = Migrator(make_url(own_postgres.url))
    late = Thread(target=lambda: (time.sleep(1), own_postgres.start()))
    late.start()
    assert migrator.upgrade() is None
    late.join()
    assert migrator.current() == head_revision()


def test_a_server_that_stays_away_is_an_error_that_names_it_but_not_its_password():
    url = make_url(f"postgresql+psycopg://user:hidden@127.0.0.1:{free_port()}/name")
    with pytest.raises(MigrationError, match=r"no answer from .*@127\.0\.0\.1:.* is DATABASE_URL right") as caught:
        Migrator(url, wait_seconds=0.5).current()
    assert "hidden" not in str(caught.value)


def test_a_refusal_is_not_waited_for(url: URL):
    began = time.monotonic()
    with pytest.raises(MigrationError, match="password authentication failed"):
        Migrator(url.set(password="wrong")).upgrade()
    with pytest.raises(MigrationError, match="does not exist"):
        Migrator(url.set(database="nowhere")).upgrade()
    assert time.monotonic() - began < 25
