"""The tables as files with their checksums, and the small ones as records by key."""

import base64
import csv
import hashlib
import mimetypes
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from typing import TypeAlias

Record: TypeAlias = Mapping[str, str | float | None]
_SUFFIXES = {".csv", ".zip"}
_NUMBERS: dict[str, Callable[[str], float]] = {"lat": float, "lon": float, "alt": int, "tz": int}


@dataclass(frozen=True)
class TableFile:
    """One file and the headers that say what it is.

    Args:
        path: where it is.
        headers: ETag, Last-Modified, Content-Type and the checksum (RFC 9530).
    """

    path: Path
    headers: Mapping[str, str]

    @property
    def etag(self) -> str:
        """The entity tag with its quotes; another content has another one."""
        return self.headers["ETag"]


def load_files(folder: Path) -> dict[str, TableFile]:
    """The tables below `folder` by file name; reads each once, for its checksum.

    Raises:
        SystemExit: there are none.
    """
    found = {path.name: _file(path) for path in sorted(folder.glob("*")) if path.suffix in _SUFFIXES}
    if not found:
        raise SystemExit(f"no tables in {folder}: set SAMPLE_DATA_FOLDER to the folder with airlines.csv")
    return found


def load_records(file: Path, key: str) -> dict[str, Record]:
    """The rows of a CSV file by one column; what is missing (empty, or NA) is None."""
    with file.open(encoding="utf-8", newline="") as lines:
        return {row[key]: {name: _value(name, text) for name, text in row.items()} for row in csv.DictReader(lines)}


def _file(path: Path) -> TableFile:
    digest = hashlib.sha256(path.read_bytes())
    headers = {
        "ETag": f'"{digest.hexdigest()}"',
        "Last-Modified": formatdate(path.stat().st_mtime, usegmt=True),
        "Content-Type": mimetypes.guess_type(path.name)[0] or "application/octet-stream",
        "Repr-Digest": f"sha-256=:{base64.b64encode(digest.digest()).decode()}:",
    }
    return TableFile(path, headers)


def _value(name: str, text: str) -> str | float | None:
    if text in {"", "NA"}:
        return None
    return _NUMBERS.get(name, str)(text)
