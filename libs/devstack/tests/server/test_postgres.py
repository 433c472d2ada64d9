"""The embedded PostgreSQL: starts, keeps what was committed whatever happens to it, and asks for the password."""

import time
from urllib.parse import quote

import psycopg
import pytest

from devstack.postgres import Database, Postgres


def test_it_is_postgresql_18_in_utf8_and_utc(postgres: Database):
    with postgres.connect() as connection:
        shown = [connection.execute(f"SHOW {name}").fetchone()[0] for name in ("server_version", "server_encoding")]
        zone = connection.execute("SHOW timezone").fetchone()[0]
    assert shown[0].startswith("18.")
    assert shown[1] == "UTF8"
    assert zone == "UTC"


def test_each_database_starts_empty_and_is_dropped_although_somebody_is_connected(session_postgres: Postgres):
    with session_postgres.new_database() as first:
        lingering = first.connect()
        lingering.execute("CREATE TABLE kept (id int)")
        with session_postgres.new_database() as second, second.connect() as connection:
            assert connection.execute("SELECT to_regclass('kept')").fetchone() == (None,)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        first.connect()
    lingering.close()


def test_a_wrong_password_is_refused(postgres: Database, session_postgres: Postgres):
    right = quote(session_postgres.password, safe="")
    assert right in postgres.url
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        Database(postgres.name, postgres.url.replace(right, "wrong")).connect()


def test_what_was_committed_survives_kill_stop_and_a_new_object_for_the_folder(own_postgres: Postgres, tmp_path):
    database = own_postgres.database("postgres")
    with database.connect() as connection:
        connection.execute("CREATE TABLE kept (word text)")
        connection.execute("INSERT INTO kept VALUES ('before the kill')")
        own_postgres.kill()
    assert not own_postgres.alive()

    own_postgres.start()
    own_postgres.wait_ready()
    with database.connect() as connection:
        assert connection.execute("SELECT word FROM kept").fetchall() == [("before the kill",)]
        connection.execute("INSERT INTO kept VALUES ('before the stop')")
    own_postgres.stop()

    with Postgres(tmp_path / "own-postgres") as again, again.database("postgres").connect() as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (2,)


def test_stop_does_not_wait_for_clients(own_postgres: Postgres):
    with own_postgres.database("postgres").connect():
        began = time.monotonic()
        own_postgres.stop()
        assert time.monotonic() - began < 40
    assert own_postgres.exit_code() == 0
