"""What all requests share: connections, keys, the catalog, the hub; made at start, closed at the end."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Self

import redis.asyncio
from fastapi import Depends
from starlette.requests import HTTPConnection

from app.authentication import key_of
from app.catalog import Catalog
from app.config import Settings
from app.hub import Hub
from app.jobs import JobNames
from app.keys import ApiKey
from taskclient.client import TaskClient
from taskclient.connection import OPTIONS, RedisClient, connect


@dataclass(frozen=True)
class Context:
    """The parts of one gateway.

    Args:
        settings: its settings.
        client: sends tasks, reads results and dead letters.
        broker: the Redis of all that is no result, for threads.
        shared: the same, for the event loop.
        results: the Redis of the results, for the event loop.
        hub: follows jobs.
        catalog: the tasks there are.
        names: which task a job is of.
    """

    settings: Settings
    client: TaskClient
    broker: RedisClient
    shared: "redis.asyncio.Redis[bytes]"
    results: "redis.asyncio.Redis[bytes]"
    hub: Hub
    catalog: Catalog = field()
    names: JobNames = field()

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Make the parts; they connect on first use."""
        client = TaskClient(settings.broker(), settings.results(), redis_url=settings.redis())
        broker = connect(settings.redis())
        results = _connect(settings.results())
        return cls(
            settings=settings,
            client=client,
            broker=broker,
            shared=_connect(settings.redis()),
            results=results,
            hub=Hub(results, settings.gateway_viewers),
            catalog=Catalog(client.catalog),
            names=JobNames(broker),
        )

    async def close(self) -> None:
        """Close all connections."""
        self.client.close()
        self.broker.close()
        for connection in (self.shared, self.results):
            await connection.aclose()  # type: ignore[attr-defined]  # not in the stubs


def context_of(connection: HTTPConnection) -> Context:
    """The parts of the gateway that a request came to."""
    context: Context = connection.app.state.context
    return context


def _connect(url: str) -> "redis.asyncio.Redis[bytes]":
    options: dict[str, Any] = OPTIONS
    client: redis.asyncio.Redis[bytes] = redis.asyncio.Redis.from_url(url, **options)
    return client


Gateway = Annotated[Context, Depends(context_of)]
Caller = Annotated[ApiKey, Depends(key_of)]
