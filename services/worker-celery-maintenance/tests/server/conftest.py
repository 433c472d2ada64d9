"""A migrated database behind the sessions that tasks use, and a way to ask it."""

from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import make_url

from datastore.migrator import Migrator
from devstack.postgres import Database
from workerkit.database import configure, dispose


@pytest.fixture
def migrated(postgres: Database) -> Database:
    Migrator(make_url(postgres.url)).upgrade()
    return postgres


@pytest.fixture
def database(migrated: Database) -> Iterator[psycopg.Connection]:
    """A connection beside those of the tasks' sessions, which use the same database."""
    configure(migrated.url, application_name="tests", pool_size=4)
    with migrated.connect() as connection:
        yield connection
    dispose()
