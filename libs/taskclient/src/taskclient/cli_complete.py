"""What the shell offers when Tab is pressed: names from the catalog; nothing, at once, if it cannot be read."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import redis
import typer
from redis.backoff import NoBackoff
from redis.retry import Retry

from taskclient.catalog import CatalogEntry, read_catalog
from taskclient.connection import RedisClient
from taskclient.contract_file import read_contracts
from taskclient.schedules import schedule_names
from taskclient.urls import LOCAL_BROKER, redis_of, with_password

_QUICK: Final[dict[str, Any]] = {
    "socket_connect_timeout": 0.3,
    "socket_timeout": 0.5,
    "protocol": 2,
}  # seconds; a person waits


def tasks(ctx: typer.Context, incomplete: str) -> list[str]:
    """The names of tasks."""
    return _fitting(_names(_entries, ctx, lambda entry: entry.name), incomplete)


def tasks_by_last_part(ctx: typer.Context, incomplete: str) -> list[str]:
    """The names of tasks, whole and by their last part, as `tasks run` takes them."""
    names = _names(_entries, ctx, lambda entry: entry.name)
    return _fitting([*(name.rpartition(".")[2] for name in names), *names], incomplete)


def queues(ctx: typer.Context, incomplete: str) -> list[str]:
    """The names of queues."""
    return _fitting(_names(_entries, ctx, lambda entry: entry.queue), incomplete)


def services(ctx: typer.Context, incomplete: str) -> list[str]:
    """The names of services."""
    return _fitting(_names(_entries, ctx, lambda entry: entry.service), incomplete)


def schedules(ctx: typer.Context, incomplete: str) -> list[str]:
    """The names of schedules."""
    return _fitting(_names(lambda ctx: schedule_names(_client(ctx)), ctx, str), incomplete)


def _names(read: Callable[[typer.Context], Iterable[Any]], ctx: typer.Context, name: Callable[[Any], str]) -> list[str]:
    try:
        return [name(found) for found in read(ctx)]
    except Exception:  # noqa: BLE001  - whatever is wrong, its place is not the line that somebody is typing
        return []


def _fitting(names: Iterable[str], incomplete: str) -> list[str]:
    return sorted({name for name in names if name.startswith(incomplete)})


def _entries(ctx: typer.Context) -> list[CatalogEntry]:
    paths = [Path(path) for path in os.environ.get("TASK_CONTRACTS", "").split(os.pathsep) if path]
    return read_contracts(paths) if paths else read_catalog(_client(ctx))


def _client(ctx: typer.Context) -> RedisClient:
    broker = ctx.params.get("broker") or os.environ.get("TASK_BROKER_URL") or LOCAL_BROKER
    url = with_password(redis_of(broker), os.environ.get("REDIS_PASSWORD"))
    client: RedisClient = redis.Redis.from_url(url, retry=Retry(NoBackoff(), 0), **_QUICK)
    return client
