"""A connection of psycopg, whose COPY is faster than what SQLAlchemy has, from the pool of `workerkit.database`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import psycopg
from sqlalchemy.orm import Session

from workerkit.database import get_sync_db


@contextmanager
def database_connection() -> Iterator["psycopg.Connection[Any]"]:
    """A connection in a transaction; commits at the end of the block, or rolls back if it raises.

    Raises:
        TransientError: the database is away or busy.
    """
    with get_sync_db() as session:
        yield connection_of(session)


def connection_of(session: Session) -> "psycopg.Connection[Any]":
    """The connection of a session, in the session's transaction."""
    return cast("psycopg.Connection[Any]", session.connection().connection.driver_connection)
