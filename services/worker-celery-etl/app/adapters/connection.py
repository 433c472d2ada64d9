"""A connection of psycopg, whose COPY is faster than what SQLAlchemy has, from the pool of `workerkit.database`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import psycopg

from workerkit.database import get_sync_db


@contextmanager
def database_connection() -> Iterator["psycopg.Connection[Any]"]:
    """A connection in a transaction; commits at the end of the block, or rolls back if it raises.

    Raises:
        TransientError: the database is away or busy.
    """
    with get_sync_db() as session:
        yield cast("psycopg.Connection[Any]", session.connection().connection.driver_connection)
