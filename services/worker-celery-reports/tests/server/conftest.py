"""A year of real flights with statistics computed in plain SQL, and an empty database for flights of one's own."""

import csv
import io
from datetime import date

import pytest
from sqlalchemy import make_url

from datastore.flights import Airline, Airport, Flight, Weather
from datastore.migrator import Migrator
from devstack import sample_data
from workerkit import database as sessions

KEYS = {"carrier": "carrier", "origin": "origin", "route": "origin || '-' || dest"}
STATISTICS = """
INSERT INTO daily_statistics (day, kind, key, flights, measured, cancelled, mean_delay, median_delay, p90_delay)
SELECT day, '{kind}', {key}, count(*), count(arr_delay), count(*) FILTER (WHERE dep_time IS NULL), avg(arr_delay),
    percentile_cont(0.5) WITHIN GROUP (ORDER BY arr_delay), percentile_cont(0.9) WITHIN GROUP (ORDER BY arr_delay)
FROM flights GROUP BY day, {key}
"""


@pytest.fixture(scope="session")
def year(session_postgres):
    """A database with all flights and all weather, which no test changes."""
    with session_postgres.new_database() as database:
        Migrator(make_url(database.url)).upgrade()
        with database.connect() as connection:
            for model in (Airline, Airport, Weather, Flight):
                sample_data.load(connection, model.__table__)
            compute_statistics(connection)
            connection.execute("ANALYZE")
        yield database


@pytest.fixture
def real_year(year):
    """The sessions of the service are on the year of real flights."""
    sessions.configure(year.url, application_name="tests")
    yield year
    sessions.dispose()


@pytest.fixture
def own(postgres):
    """The sessions of the service are on a database without flights; gives a connection to it."""
    Migrator(make_url(postgres.url)).upgrade()
    sessions.configure(postgres.url, application_name="tests")
    with postgres.connect() as connection:
        yield connection
    sessions.dispose()


@pytest.fixture
def statistics():
    """Computes the daily statistics of a connection's flights."""
    return compute_statistics


@pytest.fixture(scope="session")
def flights():
    """All flights as the file has them, to compute from without any of what is tested; NA is left out."""
    rows = csv.DictReader(io.TextIOWrapper(io.BytesIO(sample_data.content("flights")), newline=""))
    wanted = ("dep_time", "arr_delay", "carrier", "origin", "dest", "sched_dep_time", "flight")
    days = {}
    for row in rows:
        day = date(int(row["year"]), int(row["month"]), int(row["day"]))
        days.setdefault(day, []).append({name: row[name] for name in wanted if row[name] not in ("", "NA")})
    return days


def compute_statistics(connection):
    connection.execute("DELETE FROM daily_statistics")
    for kind, key in KEYS.items():
        connection.execute(STATISTICS.format(kind=kind, key=key))
