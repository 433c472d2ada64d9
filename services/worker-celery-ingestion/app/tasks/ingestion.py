"""The ingestion tasks: a name in, one processor call, a reference or a record out."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from typing import Any

from pydantic import JsonValue

from app.adapters.files import SourceFiles
from app.adapters.http import HttpClient
from app.adapters.turns import Turns
from app.celery_app import app
from app.config import settings
from app.errors import Busy, NotYet
from app.messages import FetchedFile, RecordId, SourceName, hosts_of
from app.processors.file_processor import FileProcessor
from app.processors.record_processor import RecordProcessor
from workerkit.broker import broker_client
from workerkit.circuit_breaker import circuit_breaker
from workerkit.progress import Progress
from workerkit.storage import Storage

# The processor's own deadline comes first and says what was slow.
_SOFT_LIMIT = int(settings.fetch_deadline_seconds) + 60


@app.task(bind=True, name="app.tasks.ingestion.fetch_data", soft_time_limit=_SOFT_LIMIT, time_limit=_SOFT_LIMIT + 30)
def fetch_data(self: Any, source: SourceName) -> FetchedFile:
    """Fetch the file of a configured source into storage, unless the one there is still the latest."""
    with _pauses(self):
        return file_processor().fetch(source, Progress(self))


@app.task(bind=True, name="app.tasks.ingestion.fetch_external_data")
def fetch_external_data(self: Any, api: SourceName, record: RecordId) -> dict[str, JsonValue]:
    """Fetch one record from a configured API, within the rate limit of all workers."""
    with _pauses(self):
        return record_processor().fetch(api, record, caller=str(self.request.id))


@contextmanager
def _pauses(task: Any) -> Iterator[None]:
    """Retry after the time that the error names, instead of the usual backoff."""
    try:
        yield
    except Busy as error:
        if isinstance(error, NotYet):
            task.request.retries -= 1  # `retry` adds one
        raise task.retry(exc=error, countdown=error.seconds) from None


@cache
def file_processor() -> FileProcessor:
    """The processor of this process, on the configured sources and storage."""
    return FileProcessor(
        http_client(),
        SourceFiles(Storage(settings.storage_url)),
        sources=settings.sources,
        max_bytes=settings.fetch_max_bytes,
        deadline_seconds=settings.fetch_deadline_seconds,
        reuse=timedelta(days=settings.fetch_reuse_days),
    )


@cache
def record_processor() -> RecordProcessor:
    """The processor of this process, on the configured APIs."""
    turns = Turns(broker_client(), per_second=settings.fetch_rate_per_second)
    return RecordProcessor(http_client(), turns, apis=settings.apis)


@cache
def http_client() -> HttpClient:
    """The client of this process; it keeps connections for a few seconds."""
    return HttpClient(
        hosts_of(settings.sources, settings.apis) | set(settings.fetch_redirect_hosts),
        connect_seconds=settings.fetch_connect_seconds,
        read_seconds=settings.fetch_read_seconds,
        guard=circuit_breaker,
    )
