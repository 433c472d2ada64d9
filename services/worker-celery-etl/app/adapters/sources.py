"""Opens a file in storage with the reader for its format, and trusts neither its name nor what it says of its size."""

import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

from app.adapters.csv_reader import CsvReader
from app.adapters.json_reader import JsonLinesReader
from app.adapters.parquet_reader import ParquetReader
from app.rows import Reader
from workerkit.errors import PermanentError
from workerkit.storage import Storage, StoredFile

_SUFFIXES = {"csv": "CSV", "zip": "zip", "jsonl": "JSON Lines", "ndjson": "JSON Lines", "parquet": "Parquet"}
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}  # the others of zipfile unpack without a limit
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError)


@dataclass(frozen=True)
class Limits:
    """What a file may be.

    Args:
        uncompressed_bytes: its size when unpacked.
        ratio: unpacked bytes for each packed one.
        line_bytes: the length of a line.
    """

    uncompressed_bytes: int
    ratio: int
    line_bytes: int


@contextmanager
def open_source(storage: Storage, file: StoredFile, limits: Limits) -> Iterator[Reader]:
    """Open a file: CSV, one CSV in a zip, JSON Lines or Parquet.

    Raises:
        PermanentError: it is missing, damaged, not what the reference or its suffix says, or over a limit.
        TransientError: the storage is away.
    """
    with storage.open_verified(file) as stream:
        kind = _kind(stream, file.path)
        if kind == "Parquet":
            yield ParquetReader(stream, limits.uncompressed_bytes)
        elif kind == "zip":
            with _broken_is_permanent(file.path), zipfile.ZipFile(stream) as archive:
                yield CsvReader(*_unpacked(archive, file, limits))
        else:
            reader = CsvReader if kind == "CSV" else JsonLinesReader
            yield reader(*_limited(stream, file.size, file, limits))


def _kind(stream: IO[bytes], path: str) -> str:
    named = _SUFFIXES.get(path.rpartition(".")[2].lower())
    if named is None:
        raise PermanentError(f"{path} has no known suffix; known are {', '.join(f'.{name}' for name in _SUFFIXES)}")
    stream.seek(0)
    begin = stream.read(64)
    if not begin:
        raise PermanentError(f"{path} is empty")
    magic = {b"PK\x03\x04": "zip", b"PK\x05\x06": "zip", b"PAR1": "Parquet"}
    text = "JSON Lines" if begin.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") else "CSV"
    found = magic.get(begin[:4], text)
    if found != named:
        raise PermanentError(f"{path} is named like {named}, and its content is not: it looks like {found}")
    stream.seek(0)
    return named


def _unpacked(archive: zipfile.ZipFile, file: StoredFile, limits: Limits) -> tuple[Any, Any, int]:
    members = [info for info in archive.infolist() if not info.is_dir() and not info.filename.startswith("__MACOSX/")]
    if len(members) != 1 or not members[0].filename.lower().endswith(".csv"):
        raise PermanentError(f"{file.path} must hold one .csv file, and holds {len(members)} files")
    member = members[0]
    if member.compress_type not in _METHODS or member.flag_bits & 1:
        raise PermanentError(f"{file.path} is encrypted or not packed by deflate: pack it again")
    return _limited(archive.open(member), member.file_size, file, limits)


def _limited(stream: IO[bytes], total: int, file: StoredFile, limits: Limits) -> tuple[Any, Any, int]:
    # No file of less than 1 MiB is a bomb, however well it is packed.
    by_ratio = max(file.size * limits.ratio, 2**20)
    limited = _Limited(stream, total, min(limits.uncompressed_bytes, by_ratio), file.path)
    return io.BufferedReader(limited), limited.share, limits.line_bytes


class _Limited(io.RawIOBase):
    """Passes a stream on, up to a limit; `total` may be a lie, only progress depends on it."""

    def __init__(self, stream: IO[bytes], total: int, limit: int, path: str) -> None:
        super().__init__()
        self._stream, self._total, self._limit, self._path, self._read = stream, total, limit, path, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self._read = self._stream.seek(offset, whence)
        return self._read

    def readinto(self, buffer: Any, /) -> int:
        with _broken_is_permanent(self._path):
            data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        self._read += len(data)
        if self._read > self._limit:
            limits = "ETL_MAX_UNCOMPRESSED_BYTES and ETL_MAX_COMPRESSION_RATIO set the limits"
            raise PermanentError(f"{self._path} unpacks to more than {self._limit:,} bytes; {limits}")
        return len(data)

    def share(self) -> float:
        """How much has been read, from 0 to 1."""
        return min(self._read / self._total, 1.0) if self._total else 1.0


@contextmanager
def _broken_is_permanent(path: str) -> Iterator[None]:
    try:
        yield
    except _BROKEN as error:
        raise PermanentError(f"{path} is a damaged zip: {error}") from error
