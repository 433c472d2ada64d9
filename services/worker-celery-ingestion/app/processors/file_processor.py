"""Fetches a source's file into storage, or finds that the one there is still the latest."""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import Protocol
from urllib.parse import unquote, urlsplit

from app.messages import Answer, FetchedFile, Latest
from app.processors.body import Http, limited
from workerkit.errors import PermanentError, TransientError
from workerkit.storage import StoredFile

Report = Callable[[float, float, str], None]


class Files(Protocol):
    """Keeps files and remembers the latest of each source."""

    def latest(self, source: str) -> Latest | None:
        """None if there is none, or its file is gone."""

    def remember(self, source: str, latest: Latest) -> None:
        """Raises TransientError."""

    def received(self, source: str, chunks: Iterable[bytes]) -> AbstractContextManager[StoredFile]:
        """A file for the time of the block; raises TransientError, and what `chunks` raises."""

    def keep(self, received: StoredFile, path: str) -> StoredFile:
        """Raises TransientError."""


class FileProcessor:
    """Fetches files from the sources that the settings name.

    Args:
        http: asks the providers.
        files: keeps what they answer.
        sources: URLs by name.
        max_bytes: the largest file that is taken.
        deadline_seconds: for a whole file.
        reuse: the age up to which an unchanged file is used again. It must be shorter than the clean-up's: what is
            referred to now shall still be there when the next step reads it.
        now: the clock.
    """

    def __init__(
        self,
        http: Http,
        files: Files,
        *,
        sources: Mapping[str, str],
        max_bytes: int,
        deadline_seconds: float,
        reuse: timedelta,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._http, self._files, self._sources = http, files, sources
        self._max_bytes, self._deadline, self._reuse, self._now = max_bytes, deadline_seconds, reuse, now

    def fetch(self, source: str, report: Report) -> FetchedFile:
        """Fetch a source's file.

        Args:
            source: its name.
            report: gets the bytes so far, the bytes in all (the limit while nobody knows), and a few words.

        Raises:
            PermanentError: no such source, a file over the limit, or an answer that will not change.
            TransientError: the provider or the storage is away, or the file came damaged.
        """
        url = named(source, self._sources, "SOURCES")
        known = self._known(source, url)
        with self._http.get(url, _conditions(known), self._deadline) as answer:
            if known and answer.unchanged:
                return FetchedFile(**known.file.model_dump(), source=source, etag=known.etag, unchanged=True)
            file = self._receive(source, url, answer, report)
        latest = Latest(
            address=_hash(url),
            file=file,
            etag=answer.etag,
            last_modified=answer.last_modified,
            fetched_at=self._now(),
        )
        self._files.remember(source, latest)
        return FetchedFile(**file.model_dump(), source=source, etag=answer.etag, unchanged=False)

    def _known(self, source: str, url: str) -> Latest | None:
        known = self._files.latest(source)
        usable = known and known.address == _hash(url) and self._now() - known.fetched_at <= self._reuse
        return known if usable else None

    def _receive(self, source: str, url: str, answer: Answer, report: Report) -> StoredFile:
        chunks = limited(answer, self._max_bytes, "if that is right, raise FETCH_MAX_BYTES")
        reported = _reported(chunks, answer.length or self._max_bytes, source, report)
        with self._files.received(source, reported) as received:
            _refuse_damaged(received, answer, source)
            file = self._files.keep(received, f"ingestion/{source}/{received.sha256[:16]}-{_file_name(url, source)}")
        report(file.size, file.size, f"{source}: stored")
        return file


def named(name: str, urls: Mapping[str, str], setting: str) -> str:
    """The URL of a name.

    Only names: whoever may send a task could otherwise have this worker fetch any address of the inner network.

    Raises:
        PermanentError: there is no such name.
    """
    if name not in urls:
        known = ", ".join(sorted(urls)) or "none at all"
        raise PermanentError(f"there is no {name!r} in the setting {setting}, which names {known}: add its URL there")
    return urls[name]


def _conditions(known: Latest | None) -> dict[str, str]:
    conditions = {"If-None-Match": known.etag, "If-Modified-Since": known.last_modified} if known else {}
    return {name: value for name, value in conditions.items() if value}


def _reported(chunks: Iterator[bytes], total: int, source: str, report: Report) -> Iterator[bytes]:
    received = 0
    for chunk in chunks:
        yield chunk
        received += len(chunk)
        if received < total:  # the end is reported once, when the file is at its place
            report(received, total, f"{source}: fetching")


def _refuse_damaged(received: StoredFile, answer: Answer, source: str) -> None:
    if answer.length not in {None, received.size}:
        raise TransientError(f"{source}: {received.size:,} bytes came instead of {answer.length:,}")
    if answer.sha256 not in {None, received.sha256}:
        raise TransientError(f"{source}: the checksum is {received.sha256}, but the provider says {answer.sha256}")


def _file_name(url: str, source: str) -> str:
    name = unquote(PurePosixPath(urlsplit(url).path).name)
    return re.sub(r"[^A-Za-z0-9._-]", "_", name)[-100:] or source


def _hash(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()
