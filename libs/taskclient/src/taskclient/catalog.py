"""The catalog of all tasks: every worker writes its own at boot, every caller can read the whole."""

import logging
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from taskclient.connection import RedisClient

CATALOG_KEY: Final = "workerkit:catalog"  # one hash in the broker's database: task name -> entry as JSON
UNTIL_KEY: Final = "workerkit:catalog:until"  # a hash: service -> seconds since 1970 until which its entries count
DAY: Final = 86_400.0  # seconds

logger = logging.getLogger(__name__)


class Limits(BaseModel):
    """How long a task may run, in seconds; None for as long as it wants.

    Args:
        soft: then it is told to end.
        hard: then its process is killed.
    """

    model_config = ConfigDict(frozen=True)

    soft: float | None = None
    hard: float | None = None


class RetryPolicy(BaseModel):
    """What a worker does when a task fails in a way that may pass.

    Args:
        max_retries: after a `TransientError`; None for without end.
        max_retries_of_a_bug: after any other exception that is not permanent.
        first_seconds: before the first retry; doubled each time.
        longest_seconds: the longest pause.
        jitter: whether a random part of the pause is taken.
    """

    model_config = ConfigDict(frozen=True)

    max_retries: int | None = None
    max_retries_of_a_bug: int = 0
    first_seconds: float = 0.0
    longest_seconds: float = 0.0
    jitter: bool = False


class CatalogEntry(BaseModel):
    """One task's contract.

    Args:
        name: the task's full name.
        queue: where its messages go.
        service: the service that runs it, as in `email`.
        description: the task's docstring.
        parameters: JSON Schema of the payload.
        result: JSON Schema of what it returns.
        limits: how long it may run.
        retry: what happens when it fails.
        idempotent: whether a call without an idempotency key has its task's id for one.
        idempotency_seconds: how long a key's result is kept.
        max_queue_wait: seconds after which a waiting message is no longer run; None for without end.
        version: the service's, as of its image; empty in a file, which belongs to no image.
        owner: who answers for the service; empty if it does not say.
        major: the service's major version; a higher one may break what callers of the last one rely on.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    queue: str
    service: str
    description: str
    parameters: dict[str, Any]
    result: dict[str, Any]
    limits: Limits = Limits()
    retry: RetryPolicy = RetryPolicy()
    idempotent: bool = False
    idempotency_seconds: float = 0.0
    max_queue_wait: float | None = None
    version: str = ""
    owner: str = ""
    major: int = 1


def publish_catalog(
    redis_client: RedisClient, service: str, entries: Iterable[CatalogEntry], *, days: float = 0.0
) -> None:
    """Replace all entries of one service in one step; those of other services stay, unless their time is over.

    Two workers that boot at once cannot mix: the later one sees the other's change and starts over.

    Args:
        redis_client: a client of the broker's database.
        service: the service whose entries these are.
        entries: its tasks, all of them; none removes the service from the catalog.
        days: how long the entries count without a `refresh`; 0 means for ever.

    Raises:
        ValueError: an entry belongs to another service.
        redis.RedisError: Redis could not be reached, or refused; a worker's boot decides what to do then.
    """
    fresh = {entry.name: entry.model_dump_json() for entry in entries if _belongs(entry, service)}

    def replace(pipe: Any) -> None:
        over = _services_over(pipe.hgetall(UNTIL_KEY)) - {service}
        known = _parse(pipe.hgetall(CATALOG_KEY))
        old = [entry.name for entry in known if entry.service == service and entry.name not in fresh]
        gone = old + [entry.name for entry in known if entry.service in over and entry.name not in fresh]
        pipe.multi()
        if gone:
            pipe.hdel(CATALOG_KEY, *gone)
        if over:
            pipe.hdel(UNTIL_KEY, *over)
        if fresh:
            pipe.hset(CATALOG_KEY, mapping=fresh)
        _note(pipe, service, days if fresh else None)

    transaction: Any = redis_client.transaction  # Any, because the stubs leave it untyped
    transaction(replace, CATALOG_KEY, UNTIL_KEY)


def refresh(redis_client: RedisClient, service: str, *, days: float) -> bool:
    """Say that a service still has workers, which is one write; for every minute or so.

    Args:
        redis_client: a client of the broker's database.
        service: the service.
        days: how long its entries count from now on; 0 means for ever.

    Returns:
        False if the catalog does not know the service (somebody forgot it): it is to be published again.

    Raises:
        redis.RedisError: Redis could not be reached, or refused.
    """
    return not redis_client.hset(UNTIL_KEY, service, _until(days))


def forget(redis_client: RedisClient, service: str) -> list[str]:
    """Take a service out of the catalog; workers that still run bring it back within a minute.

    Returns:
        The names of its tasks.

    Raises:
        redis.RedisError: Redis could not be reached, or refused.
    """
    names = [entry.name for entry in _parse(redis_client.hgetall(CATALOG_KEY)) if entry.service == service]
    publish_catalog(redis_client, service, [])
    return sorted(names)


def read_catalog(redis_client: RedisClient) -> list[CatalogEntry]:
    """All entries that count, sorted by name; one that cannot be read is left out and logged.

    Raises:
        redis.RedisError: Redis could not be reached, or refused.
    """
    return entries_of(redis_client.hgetall(CATALOG_KEY), redis_client.hgetall(UNTIL_KEY))


def entries_of(stored: Mapping[bytes, bytes], until: Mapping[bytes, bytes]) -> list[CatalogEntry]:
    """All entries that count, sorted by name, of what stands at `CATALOG_KEY` and at `UNTIL_KEY`."""
    over = _services_over(until)
    return sorted((entry for entry in _parse(stored) if entry.service not in over), key=lambda entry: entry.name)


def read_entry(redis_client: RedisClient, name: str) -> CatalogEntry | None:
    """The entry of one task; None if no worker has published it, or it cannot be read.

    Raises:
        redis.RedisError: Redis could not be reached, or refused.
    """
    raw = redis_client.hget(CATALOG_KEY, name)
    return next(iter(_parse({name.encode(): raw} if raw else {})), None)


def _belongs(entry: CatalogEntry, service: str) -> bool:
    if entry.service != service:
        raise ValueError(f"{entry.name} belongs to {entry.service!r}: {service!r} must not publish it.")
    return True


def _note(pipe: Any, service: str, days: float | None) -> None:
    if days is None:
        pipe.hdel(UNTIL_KEY, service)
    else:
        pipe.hset(UNTIL_KEY, service, _until(days))


def _until(days: float) -> str:
    return f"{time.time() + days * DAY:.0f}" if days else "inf"


def _services_over(stored: Mapping[bytes, bytes]) -> set[str]:
    """The services whose time is over; what cannot be read is no reason to take one out."""
    now = time.time()
    return {service.decode(errors="replace") for service, until in stored.items() if _seconds(until) < now}


def _seconds(text: bytes) -> float:
    try:
        return float(text)
    except ValueError:
        return float("inf")


def _parse(stored: Mapping[bytes, bytes]) -> list[CatalogEntry]:
    entries = []
    for name, raw in stored.items():
        try:
            entries.append(CatalogEntry.model_validate_json(raw))
        except ValidationError as error:
            logger.warning("The catalog entry %r is not readable and left out: %s", name, error)
    return entries
