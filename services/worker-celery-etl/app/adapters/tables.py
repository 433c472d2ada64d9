"""The SQL between a staging table and the table it is for."""

from collections.abc import Iterable, Sequence
from typing import Any, LiteralString

from psycopg import Connection, sql
from sqlalchemy import Table

from app.rows import Rejected

Name = sql.Composable


def columns_of(table: Table) -> list[str]:
    """The names of a table's columns, in order."""
    return [column.name for column in table.columns]


def create_staging(connection: Connection[Any], staging: Name, table: Table, kind: LiteralString) -> None:
    """Make an empty staging table: the target's columns, and the line that each row comes from."""
    connection.execute(
        sql.SQL("CREATE {} TABLE {} AS SELECT 0::bigint AS line, {} FROM {} WITH NO DATA").format(
            sql.SQL(kind),
            staging,
            joined(columns_of(table)),
            sql.Identifier(table.name),
        )
    )


def copy_block(connection: Connection[Any], staging: Name, block: bytes) -> None:
    """Append rows that are in COPY's text format."""
    if block:
        with connection.cursor() as cursor, cursor.copy(sql.SQL("COPY {} FROM STDIN").format(staging)) as copy:
            copy.write(block)


def find_duplicates(connection: Connection[Any], staging: Name, table: Table) -> int:
    """Put all rows whose key an earlier line has into the temporary table `duplicates`; returns how many."""
    keys = joined(column.name for column in table.primary_key)
    statement = """CREATE TEMPORARY TABLE duplicates AS
        SELECT line, first FROM {staging} JOIN
            (SELECT {keys}, min(line) AS first FROM {staging} GROUP BY {keys} HAVING count(*) > 1) AS repeated
            USING ({keys}) WHERE line > first"""
    connection.execute("DROP TABLE IF EXISTS duplicates")
    return connection.execute(sql.SQL(statement).format(staging=staging, keys=keys)).rowcount


def upsert(connection: Connection[Any], staging: Name, table: Table) -> int:
    """Bring the target to what the staging table has; returns how many rows were new or different.

    Rows that are there already are not touched: locking them would cost as much as writing them. One load of a table
    at a time, because two could wait for each other's rows.
    """
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('etl:' || %s, 0))", (table.name,))
    connection.execute(sql.SQL("ANALYZE {}").format(staging))
    names = columns_of(table)
    keys = [column.name for column in table.primary_key]
    others = [name for name in names if name not in keys]
    statement = """INSERT INTO {target} ({names})
        SELECT {staged} FROM {staging} AS staged LEFT JOIN {target} AS old ON {same_key}
        WHERE old.{key} IS NULL OR ({staged_others}) IS DISTINCT FROM ({old_others})
        ON CONFLICT ({keys}) DO UPDATE SET {changes}"""
    query = sql.SQL(statement).format(
        target=sql.Identifier(table.name),
        staging=staging,
        names=joined(names),
        keys=joined(keys),
        key=sql.Identifier(keys[0]),
        staged=joined(names, "staged"),
        staged_others=joined(others, "staged"),
        old_others=joined(others, "old"),
        same_key=sql.SQL(" AND ").join(sql.SQL("staged.{0} = old.{0}").format(sql.Identifier(key)) for key in keys),
        changes=sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in others),
    )
    return connection.execute(query).rowcount


def keep_rejected(connection: Connection[Any], job_id: object, source: str, rejected: Sequence[Rejected]) -> None:
    """Store rows that were not taken, each once."""
    statement = """INSERT INTO rejected_rows (job_id, source, line, reason, raw) VALUES (%s, %s, %s, %s, %s)
        ON CONFLICT DO NOTHING"""
    with connection.cursor() as cursor:
        cursor.executemany(statement, [(job_id, source, *row) for row in rejected])


def joined(names: Iterable[str], of: str | None = None) -> sql.Composed:
    """Names of columns as a list in SQL, of the table `of` if it is given."""
    return sql.SQL(", ").join(sql.Identifier(of, name) if of else sql.Identifier(name) for name in names)
