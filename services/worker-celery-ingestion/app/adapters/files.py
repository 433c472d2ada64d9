"""The sources' files in storage, and beside them a note on the latest of each."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from uuid import uuid4

from pydantic import ValidationError

from app.messages import Latest
from workerkit.errors import PermanentError
from workerkit.storage import Storage, StoredFile, copy


class SourceFiles:
    """The folder `ingestion` of the storage.

    Args:
        storage: shared with the other services.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def latest(self, source: str) -> Latest | None:
        """The note on a source; None if there is none, it cannot be read, or its file is gone or has another size.

        Raises:
            TransientError: the storage is away.
        """
        try:
            latest = Latest.model_validate_json(self._storage.read(_note(source)))
            with self._storage.open(latest.file):
                return latest
        except (PermanentError, ValidationError):
            return None

    def remember(self, source: str, latest: Latest) -> None:
        """Write the note; of two at the same time the last one stays, and both are right."""
        self._storage.put(_note(source), latest.model_dump_json().encode())

    @contextmanager
    def received(self, source: str, chunks: Iterable[bytes]) -> Iterator[StoredFile]:
        """Write the pieces of a file that is gone after the block, unless it was kept.

        Raises:
            TransientError: the storage is away or full.
        """
        path = f"ingestion/{source}/incoming-{uuid4().hex}"
        with self._storage.writer(path) as writer:
            for chunk in chunks:
                writer.write(chunk)
        try:
            yield writer.stored
        finally:
            self._storage.delete(path)

    def keep(self, received: StoredFile, path: str) -> StoredFile:
        """Put a received file at its place, also over the same content: that makes it new for the clean-up."""
        with self._storage.open(received) as source, self._storage.writer(path) as target:
            copy(source, target)
        return target.stored


def _note(source: str) -> str:
    return f"ingestion/{source}/latest.json"
