"""Upserts a few rows in one transaction."""

from psycopg import sql
from sqlalchemy import Table

from app.adapters import tables
from app.adapters.connection import connection_of
from app.rows import Checked, Rejected
from workerkit.database import get_sync_db
from workerkit.once import once

_STAGING = sql.Identifier("pg_temp", "etl_batch")


def load_batch(table: Table, checked: Checked, *, effect: str) -> tuple[int, list[Rejected]]:
    """Upsert the good rows of a batch; of rows with the same key the first one counts.

    Args:
        table: takes them.
        checked: the batch.
        effect: names the batch; a second time nothing is changed, as a later batch may have changed the same rows.

    Returns:
        How many were new or different, and those whose key an earlier row has.

    Raises:
        TransientError: the database is away.
    """
    with get_sync_db() as session:
        connection = connection_of(session)
        tables.create_staging(connection, _STAGING, table, "TEMPORARY")
        tables.copy_block(connection, _STAGING, checked.block)
        tables.find_duplicates(connection, _STAGING, table)
        found = connection.execute("SELECT line, first FROM duplicates").fetchall()
        connection.execute(sql.SQL("DELETE FROM {} WHERE line IN (SELECT line FROM duplicates)").format(_STAGING))
        changed = tables.upsert(connection, _STAGING, table) if once(session, effect) else 0
        connection.execute(sql.SQL("DROP TABLE {}, duplicates").format(_STAGING))
    return changed, [Rejected(line, f"has the key of row {first - 1}", b"") for line, first in found]
