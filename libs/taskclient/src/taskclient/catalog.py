"""The catalog of all tasks: every worker writes its own at boot, every caller can read the whole."""

import logging
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from taskclient.connection import RedisClient

CATALOG_KEY = "workerkit:catalog"  # one hash in the broker's database: task name -> entry as JSON

logger = logging.getLogger(__name__)


class CatalogEntry(BaseModel):
    """One task's contract.

    Args:
        name: the task's full name.
        queue: where its messages go.
        service: the service that runs it, as in `worker-celery-email`.
        description: the task's docstring.
        parameters: JSON Schema of the payload.
        result: JSON Schema of what it returns.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    queue: str
    service: str
    description: str
    parameters: dict[str, Any]
    result: dict[str, Any]


def publish_catalog(redis_client: RedisClient, service: str, entries: Iterable[CatalogEntry]) -> None:
    """Replace all entries of one service in one step; the entries of other services stay.

    Two workers that boot at once cannot mix: the later one sees the other's change and starts over.

    Args:
        redis_client: a client of the broker's database.
        service: the service whose entries these are.
        entries: its tasks, all of them; none removes the service from the catalog.

    Raises:
        ValueError: an entry belongs to another service.
        redis.RedisError: Redis could not be reached, or refused; a worker's boot decides what to do then.
    """
    fresh = {entry.name: entry.model_dump_json() for entry in entries if _belongs(entry, service)}

    def replace(pipe: Any) -> None:
        known = _parse(pipe.hgetall(CATALOG_KEY))
        gone = [entry.name for entry in known if entry.service == service and entry.name not in fresh]
        pipe.multi()
        if gone:
            pipe.hdel(CATALOG_KEY, *gone)
        if fresh:
            pipe.hset(CATALOG_KEY, mapping=fresh)

    transaction: Any = redis_client.transaction  # Any, because the stubs leave it untyped
    transaction(replace, CATALOG_KEY)


def read_catalog(redis_client: RedisClient) -> list[CatalogEntry]:
    """All entries, sorted by name; one that cannot be read is left out and logged.

    Raises:
        redis.RedisError: Redis could not be reached, or refused.
    """
    return sorted(_parse(redis_client.hgetall(CATALOG_KEY)), key=lambda entry: entry.name)


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


def _parse(stored: dict[bytes, bytes]) -> list[CatalogEntry]:
    entries = []
    for name, raw in stored.items():
        try:
            entries.append(CatalogEntry.model_validate_json(raw))
        except ValidationError as error:
            logger.warning("The catalog entry %r is not readable and left out: %s", name, error)
    return entries
