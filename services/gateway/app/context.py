"""What all requests share: connections, keys, the catalog, the hub; made at start, closed at the end."""

from dataclasses import dataclass
from typing import Annotated, Any, Self

import redis.asyncio
from fastapi import Depends
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from starlette.requests import HTTPConnection

from app.authentication import key_of
from app.catalog import Catalog
from app.config import Settings
from app.hub import Hub
from app.jobs import JobNames
from app.keys import ApiKey
from app.metrics import Metrics
from app.tickets import Tickets
from taskclient.client import TaskClient
from taskclient.connection import OPTIONS, RedisClient, connect
from taskclient.results import ResultStore


@dataclass(frozen=True)
class Context:
    """The parts of one gateway.

    Args:
        settings: its settings.
        client: sends tasks, reads results and dead letters.
        broker: the Redis of all that is no result, for threads.
        shared: the same, for the event loop.
        results: the Redis of the results, for the event loop.
        records: what is stored about tasks, for threads.
        hub: follows jobs.
        catalog: the tasks there are.
        names: which task a job is of.
        tickets: stand for a key once.
        metrics: what was asked for.
    """

    settings: Settings
    client: TaskClient
    broker: RedisClient
    shared: "redis.asyncio.Redis[bytes]"
    results: "redis.asyncio.Redis[bytes]"
    records: ResultStore
    hub: Hub
    catalog: Catalog
    names: JobNames
    tickets: Tickets
    metrics: Metrics

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Make the parts; they connect on first use."""
        client = TaskClient(settings.broker(), settings.results(), redis_url=settings.redis())
        broker = connect(settings.redis())
        shared, results = _connect(settings.redis()), _connect(settings.results())
        return cls(
            settings=settings,
            client=client,
            broker=broker,
            shared=shared,
            results=results,
            records=ResultStore(settings.results()),
            hub=Hub(results, settings.gateway_viewers),
            catalog=Catalog(client.catalog),
            names=JobNames(broker),
            tickets=Tickets(shared),
            metrics=Metrics(client),
        )

    async def close(self) -> None:
        """Close all connections."""
        self.client.close()
        self.broker.close()
        self.records.close()
        for connection in (self.shared, self.results):
            await connection.aclose()  # type: ignore[attr-defined]  # not in the stubs


def context_of(connection: HTTPConnection) -> Context:
    """The parts of the gateway that a request came to."""
    context: Context = connection.app.state.context
    return context


def _connect(url: str) -> "redis.asyncio.Redis[bytes]":
    retry = Retry(ExponentialBackoff(cap=0.5, base=0.1), 1)  # its default would hold a request up for seconds
    options: dict[str, Any] = {**OPTIONS, "retry": retry}
    client: redis.asyncio.Redis[bytes] = redis.asyncio.Redis.from_url(url, **options)
    return client


Gateway = Annotated[Context, Depends(context_of)]
Caller = Annotated[ApiKey, Depends(key_of)]
