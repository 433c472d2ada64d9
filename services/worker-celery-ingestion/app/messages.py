"""What the tasks take and give back, and what an HTTP answer is to the processors."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from urllib.parse import quote, urlsplit

from pydantic import AfterValidator, BaseModel, Field

from workerkit.storage import StoredFile

RECORD = "{record}"


def _http(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be an http:// or https:// URL with a host")
    return url


def _template(url: str) -> str:
    if url.count(RECORD) != 1 or RECORD in urlsplit(url).netloc:
        raise ValueError(f"must contain {RECORD} once, behind the host")
    return url


def _one_segment(record: str) -> str:
    if {".", ".."} & set(re.split(r"[/\\]", record)) or not record.isprintable():
        raise ValueError("must be printable and have no '.' or '..' between slashes")
    return record


SourceName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,49}$")]
SourceUrl = Annotated[str, AfterValidator(_http)]
ApiTemplate = Annotated[str, AfterValidator(_http), AfterValidator(_template)]
RecordId = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_one_segment)]


class FetchedFile(StoredFile):
    """A reference to a source's file.

    Args:
        source: the source's name.
        etag: the provider's entity tag, None if it sends none.
        unchanged: whether it is the file of an earlier fetch, because the provider has no newer one.
    """

    source: SourceName
    etag: str | None
    unchanged: bool


class Latest(BaseModel):
    """What is known of a source's latest file.

    Args:
        address: SHA-256 of the URL it came from; the URL itself may hold a key.
        file: the reference.
        etag: the provider's entity tag.
        last_modified: the provider's header as it came.
        fetched_at: when it came whole.
    """

    address: str
    file: StoredFile
    etag: str | None
    last_modified: str | None
    fetched_at: datetime


@dataclass(frozen=True)
class Answer:
    """A provider's answer, its body still on the way.

    Args:
        unchanged: the provider has nothing newer (304); then there is no body.
        etag: entity tag.
        last_modified: the header as it came.
        length: bytes of the body, None if the provider does not say.
        sha256: of the body in hexadecimal, None if the provider does not say.
        chunks: the body in pieces; can be read once.
    """

    unchanged: bool
    etag: str | None
    last_modified: str | None
    length: int | None
    sha256: str | None
    chunks: Iterator[bytes]


def record_url(template: str, record: str) -> str:
    """The address of a record; whatever `record` holds, it stays one segment of the path."""
    return template.replace(RECORD, quote(record, safe=""))


def shown(url: str) -> str:
    """An address for messages: without user, password and query, which may be secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def hosts_of(*urls: Mapping[str, str]) -> set[str]:
    """The hosts that settings name."""
    return {urlsplit(url).hostname or "" for named in urls for url in named.values()}
