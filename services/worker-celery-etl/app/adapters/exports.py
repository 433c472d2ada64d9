"""Writes rows of a table to a stream, some at a time, in one of the formats that can be loaded again."""

import io
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
from psycopg import sql
from sqlalchemy import BigInteger, Date, DateTime, Double, Integer, SmallInteger, Table

from app.adapters.connection import database_connection
from workerkit.storage import Writer

_ROWS = 20_000  # of Parquet, at a time; also the size of a row group
_CSV = "COPY ({}) TO STDOUT (FORMAT csv, HEADER)"
# JSON escapes control characters, so with these nothing is ever quoted.
_JSON = r"COPY (SELECT row_to_json(rows) FROM ({}) AS rows) TO STDOUT (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02')"
_ARROW = [
    (SmallInteger, pa.int16()),
    (BigInteger, pa.int64()),
    (Integer, pa.int32()),
    (Double, pa.float64()),
    (DateTime, pa.timestamp("us", "UTC")),
    (Date, pa.date32()),
]
Write = Callable[[bytes], Any]
Export = Callable[[Table, sql.Composed, Writer], int]


def as_csv(_table: Table, query: sql.Composed, writer: Writer) -> int:
    """Write CSV with a header, NULL as nothing; returns the number of rows."""
    return _copy(_CSV, query, writer.write)


def as_json_lines(_table: Table, query: sql.Composed, writer: Writer) -> int:
    """Write one JSON object a line; returns the number of rows."""
    return _copy(_JSON, query, writer.write)


def as_csv_gz(_table: Table, query: sql.Composed, writer: Writer) -> int:
    """Write CSV packed by gzip, the same bytes for the same rows; returns the number of rows."""
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    rows = _copy(_CSV, query, lambda piece: writer.write(packer.compress(piece)))
    writer.write(packer.flush())
    return rows


def as_parquet(table: Table, query: sql.Composed, writer: Writer) -> int:
    """Write Parquet; returns the number of rows."""
    schema = pa.schema([(column.name, _arrow(column.type)) for column in table.columns])
    rows = 0
    with database_connection() as connection, pq.ParquetWriter(_Sink(writer), schema, compression="zstd") as parquet:
        for found in _pages(connection, query):
            columns = [
                pa.array(values, field.type) for values, field in zip(zip(*found, strict=True), schema, strict=True)
            ]
            parquet.write_table(pa.Table.from_arrays(columns, schema=schema))
            rows += len(found)
    return rows


FORMATS: dict[str, Export] = {
    ".csv": as_csv,
    ".csv.gz": as_csv_gz,
    ".jsonl": as_json_lines,
    ".parquet": as_parquet,
}


def _copy(statement: Any, query: sql.Composed, write: Write) -> int:
    with database_connection() as connection, connection.cursor() as cursor:
        with cursor.copy(sql.SQL(statement).format(query)) as copy:
            for piece in copy:
                write(bytes(piece))
        return cursor.rowcount


def _pages(connection: "psycopg.Connection[Any]", query: sql.Composed) -> Iterator[list[Any]]:
    with connection.cursor("export") as cursor:
        cursor.execute(query)
        while found := cursor.fetchmany(_ROWS):
            yield found


def _arrow(found: Any) -> Any:
    return next((arrow for sql_type, arrow in _ARROW if isinstance(found, sql_type)), pa.string())


class _Sink(io.RawIOBase):
    """A writer of the storage as the file that pyarrow wants."""

    def __init__(self, writer: Writer) -> None:
        super().__init__()
        self._writer = writer

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._writer.size

    def write(self, data: Any, /) -> int:
        return self._writer.write(bytes(data))
