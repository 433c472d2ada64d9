"""The real flights and weather, loaded once, and the same files read by plain Python for whoever counts again."""

import csv
import io
from datetime import date

import pytest
from sqlalchemy import make_url

from datastore.flights import Flight, Weather
from datastore.migrator import Migrator
from devstack import sample_data
from workerkit import database as workerkit_database


@pytest.fixture(scope="session")
def flights():
    """What the tests count of all flights: texts as they stand in the file, None for NA, and the day as a date."""
    wanted = {"carrier", "origin", "dest", "dep_time", "dep_delay", "arr_delay", "time_hour", "year", "month", "day"}
    rows = _rows(sample_data.content("flights"), wanted)
    for row in rows:
        row["date"] = date(int(row["year"]), int(row["month"]), int(row["day"]))
    return rows


@pytest.fixture(scope="session")
def weather():
    """The same of the weather."""
    return _rows(sample_data.content("weather"), {"origin", "time_hour", "wind_speed", "wind_gust", "visib"})


@pytest.fixture(scope="session")
def loaded(session_postgres):
    """A database with all flights and all weather, which no test changes."""
    with session_postgres.new_database() as database:
        Migrator(make_url(database.url)).upgrade()
        with database.connect() as connection:
            for model in (Flight, Weather):
                sample_data.load(connection, model.__table__)
            connection.execute("ANALYZE")
        yield database


@pytest.fixture
def database(loaded):
    """The loaded database without results, as the sessions of `get_task_session` see it."""
    workerkit_database.configure(loaded.url, application_name="tests")
    with loaded.connect() as connection:
        connection.execute("TRUNCATE daily_statistics, jobs, backtest_filters CASCADE")
    yield loaded
    workerkit_database.dispose()


@pytest.fixture
def empty(postgres):
    """A database that has all tables and nothing in them."""
    Migrator(make_url(postgres.url)).upgrade()
    workerkit_database.configure(postgres.url, application_name="tests")
    yield postgres
    workerkit_database.dispose()


@pytest.fixture
def query(database):
    """Runs a statement of plain SQL and gives all its rows."""
    with database.connect() as connection:
        yield lambda statement, *values: connection.execute(statement, values).fetchall()


def _rows(file, wanted):
    lines = csv.reader(io.StringIO(file.decode()))
    names = next(lines)
    places = [(place, name) for place, name in enumerate(names) if name in wanted]
    return [{name: None if line[place] in ("NA", "") else line[place] for place, name in places} for line in lines]
