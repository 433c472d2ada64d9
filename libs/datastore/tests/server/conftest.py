"""A database with all tables, and a session on it."""

from collections.abc import Iterator

import pytest
from sqlalchemy import URL, create_engine, make_url
from sqlalchemy.orm import Session

from datastore.migrator import Migrator
from devstack.postgres import Database


@pytest.fixture
def url(postgres: Database) -> URL:
    return make_url(postgres.url)


@pytest.fixture
def session(url: URL) -> Iterator[Session]:
    Migrator(url).upgrade()
    engine = create_engine(url)
    with Session(engine) as opened:
        yield opened
    engine.dispose()
