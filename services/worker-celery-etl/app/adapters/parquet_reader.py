"""Reads Parquet, some rows at a time."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import types

from app.rows import Batch
from workerkit.errors import PermanentError

_BUFFER = 256 * 1024  # bytes to read at a time of each column, instead of all of a row group


class ParquetReader:
    """A Parquet file; its lines are rows, counted from 1.

    Args:
        stream: its bytes; seekable.
        max_bytes: limit of its uncompressed size.

    Raises:
        PermanentError: it is not Parquet.
    """

    def __init__(self, stream: IO[bytes], max_bytes: int) -> None:
        self._max_bytes = max_bytes
        with _broken_is_permanent():
            self._file = pq.ParquetFile(stream, buffer_size=_BUFFER, pre_buffer=False)
        schema = self._file.schema_arrow
        self.header: Sequence[str] = list(schema.names)
        self.kinds: Mapping[str, str] = {field.name: _kind(field.type) for field in schema}

    def batches(self, position: int, rows: int) -> Iterator[Batch]:
        """Hand out what comes after row `position`, `rows` rows at a time.

        Raises:
            PermanentError: it is damaged, or larger than it may be.
        """
        total, done, size = self._file.metadata.num_rows, 0, 0
        found = self._file.iter_batches(batch_size=rows, use_threads=False)
        while (batch := self._next(found)) is not None:
            begin, done = max(position - done, 0), done + batch.num_rows
            size += batch.nbytes
            if size > self._max_bytes:
                raise PermanentError(_too_large(self._max_bytes))
            if begin < batch.num_rows:
                yield self._batch(batch.slice(begin), done, done / total)

    def _next(self, batches: Iterator[Any]) -> Any:
        with _broken_is_permanent():
            return next(batches, None)

    def _batch(self, batch: Any, done: int, share: float) -> Batch:
        with _broken_is_permanent():
            columns = [_texts(column) for column in batch.columns]
        rows = list(zip(*columns, strict=True))
        return Batch(rows, range(done - len(rows) + 1, done + 1), _Raws(self.header, rows), done, share)


class _Raws(Sequence[bytes]):
    """The rows as JSON, made only for those that are rejected."""

    def __init__(self, header: Sequence[str], rows: list[Any]) -> None:
        self._header, self._rows = header, rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> Any:
        return json.dumps(dict(zip(self._header, self._rows[index], strict=True))).encode()


def _kind(found: Any) -> str:
    if types.is_dictionary(found):
        found = found.value_type
    kinds = [
        (types.is_null, "nothing"),
        (types.is_integer, "whole number"),
        (types.is_floating, "number"),
        (types.is_string, "text"),
        (types.is_large_string, "text"),
        (lambda kind: types.is_timestamp(kind) and kind.tz is not None, "time"),
    ]
    return next((kind for fits, kind in kinds if fits(found)), str(found))


def _texts(column: Any) -> list[str | None]:
    if types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
    values = column.to_pylist()
    if types.is_string(column.type) or types.is_large_string(column.type):
        return list(values)
    return [None if value is None or value != value else _text(value) for value in values]  # noqa: PLR0124  - NaN


def _text(value: Any) -> str:
    # pandas makes whole numbers with missing ones among them to floats.
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _too_large(limit: int) -> str:
    return f"the file is larger than {limit:,} bytes uncompressed; ETL_MAX_UNCOMPRESSED_BYTES sets the limit"


@contextmanager
def _broken_is_permanent() -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, ValueError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # the storage's, not pyarrow's for a damaged file
            raise
        raise PermanentError(f"the Parquet file is damaged: {str(error)[:500]}") from error
