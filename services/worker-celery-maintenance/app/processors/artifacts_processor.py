"""Decides which files in storage are old and no longer needed."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Protocol

from app.processors.records_processor import utc_now
from workerkit.errors import PermanentError

_FETCHED = "ingestion"
FOLDERS = (_FETCHED, "reports")  # whatever else is in storage belongs to somebody else
_LATEST = "latest.json"  # in a source's folder, names the file that was fetched last


class Files(Protocol):
    """The storage, as `workerkit.storage.Storage`."""

    def older_than(self, moment: datetime, below: str = "") -> Iterator[str]:
        """The paths of a folder's files last written before `moment`, also unfinished ones."""

    def exists(self, path: str) -> bool:
        """Say whether there is a file."""

    def read(self, file: str) -> bytes:
        """The file's content."""

    def delete(self, path: str) -> None:
        """Delete the file, if it is there."""


class ArtifactsProcessor:
    """Removes old files of the folders `ingestion` and `reports`.

    Args:
        files: the storage.
        now: the clock.
    """

    def __init__(self, files: Files, now: Callable[[], datetime] = utc_now) -> None:
        self._files, self._now = files, now

    def remove_old(self, days: int) -> int:
        """Delete files last written more than `days` ago, also those that a killed process left unfinished.

        A source that does not change is not written again, so its `latest.json` and what this names are kept.

        Returns:
            How many were deleted.

        Raises:
            PermanentError: a `latest.json` cannot be read, so nobody knows what it names.
            TransientError: the storage is away; what was deleted stays deleted.
        """
        before = self._now() - timedelta(days=days)
        named = cache(self._named)  # for this run only
        removed = 0
        for folder in FOLDERS:
            for path in self._files.older_than(before, folder):
                if path not in named(path.rpartition("/")[0]):
                    self._files.delete(path)
                    removed += 1
        return removed

    def _named(self, folder: str) -> set[str]:
        """What to keep of a folder: its `latest.json`, and every path or file name that stands in it."""
        latest = f"{folder}/{_LATEST}"
        if not folder.startswith(f"{_FETCHED}/") or not self._files.exists(latest):
            return set()
        try:
            texts = set(_texts(json.loads(self._files.read(latest))))
        except ValueError as error:
            raise PermanentError(
                f"{latest} is not JSON ({error}), so it is unknown which file of {folder} is in use: delete it, and "
                "the next ingestion of this source writes it again"
            ) from error
        return {latest} | texts | {f"{folder}/{text}" for text in texts}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)
