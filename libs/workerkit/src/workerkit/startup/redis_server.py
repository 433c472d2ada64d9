"""Checks of the Redis that holds the queues: it deletes nothing by itself, survives a crash, and knows the commands."""

from collections.abc import Iterator, Mapping
from typing import Any

from workerkit.startup.problem import Problem

OLDEST = (6, 2)  # RPOP of several messages at once, GETDEL, and client tracking as the transport uses it


def problems(info: Mapping[str, Any], *, production: bool) -> Iterator[Problem]:
    """What is wrong with a server.

    Args:
        info: its answer to INFO; what it does not say is not checked. CONFIG GET is not asked, because managed servers
            and ACLs often forbid it.
        production: an append-only file is asked for.
    """
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction" and info.get("maxmemory", 0) > 0:
        yield Problem(
            "eviction",
            f"Redis deletes keys when it is full (maxmemory-policy {policy}), and with them queued tasks: set "
            "maxmemory-policy noeviction",
        )
    if production and info.get("aof_enabled", 1) == 0:
        yield Problem(
            "append-only-file",
            "Redis writes no append-only file, so a crash of it loses the queued tasks: set appendonly yes",
        )
    version = str(info.get("redis_version", ""))
    if _older(version):
        yield Problem(
            "redis-version",
            f"Redis is version {version}, and the workers need 6.2 or newer, or Valkey: update it",
        )


def _older(version: str) -> bool:
    numbers = version.split(".")[:2]
    return len(numbers) == len(OLDEST) and all(n.isdecimal() for n in numbers) and tuple(map(int, numbers)) < OLDEST
