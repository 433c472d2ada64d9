"""Counts what a service holds back: its dead letters by reason and task, parked, delayed and running messages."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from taskclient.connection import RedisClient
from taskclient.letters import dead_key
from taskclient.parked import parked_counts


class Limits(BaseModel):
    """What a service keeps at most; the oldest letters are dropped beyond that.

    Args:
        seconds: how long a letter is kept.
        letters: how many.
        bytes: how much, records and messages together.
    """

    model_config = ConfigDict(frozen=True)

    seconds: float
    letters: float
    bytes: float


class ServiceStats(BaseModel):
    """What one service holds back.

    Args:
        service: its name.
        letters: number of dead letters.
        bytes: their size.
        oldest: when the letter died that died longest ago, seconds since 1970; None if there is none.
        newest: when the last one died.
        reasons: number of letters by reason.
        tasks: number of letters by the name of the task; `""` is for messages without one.
        limits: as the last worker that buried a letter had them; None if none ever did.
        dropped: how many letters these limits have removed, since ever.
        parked: number of messages by the name of the task that no worker knows.
        delayed: messages that wait for their time.
        in_flight: messages that workers hold.
    """

    model_config = ConfigDict(frozen=True)

    service: str
    letters: int
    bytes: int
    oldest: float | None
    newest: float | None
    reasons: dict[str, int]
    tasks: dict[str, int]
    limits: Limits | None
    dropped: int
    parked: dict[str, int]
    delayed: int
    in_flight: int


def read_stats(client: RedisClient, service: str) -> ServiceStats:
    """The statistics of one service; their price does not depend on the number of letters.

    Raises:
        redis.RedisError: Redis could not be reached, or refused.
    """
    key = dead_key(service)
    pipe = client.pipeline(transaction=True)
    pipe.zcard(key)
    pipe.mget(f"{key}:bytes", f"{key}:dropped")
    pipe.zrange(key, 0, 0, withscores=True)
    pipe.zrange(key, -1, -1, withscores=True)
    pipe.hgetall(f"{key}:counts")
    pipe.hgetall(f"{key}:limits")
    pipe.zcard(f"worker:{service}:delayed")
    pipe.zrange(f"worker:{service}:holders", 0, -1)
    letters, (size, dropped), oldest, newest, counts, limits, delayed, holders = pipe.execute()
    return ServiceStats(
        service=service,
        letters=letters,
        bytes=int(size or 0),
        oldest=oldest[0][1] if oldest else None,
        newest=newest[0][1] if newest else None,
        reasons=_part(counts, "reason:"),
        tasks=_part(counts, "task:"),
        limits=Limits.model_validate({name.decode(): value for name, value in limits.items()}) if limits else None,
        dropped=int(dropped or 0),
        parked=parked_counts(client, service),
        delayed=delayed,
        in_flight=_in_flight(client, service, holders),
    )


def _part(counts: dict[bytes, bytes], prefix: str) -> dict[str, int]:
    """The counts under one prefix, the largest first."""
    named = {name.decode(): int(number) for name, number in counts.items()}
    part = {name.removeprefix(prefix): number for name, number in named.items() if name.startswith(prefix)}
    return dict(sorted(part.items(), key=lambda item: (-item[1], item[0])))


def _in_flight(client: RedisClient, service: str, holders: list[bytes]) -> int:
    pipe: Any = client.pipeline(transaction=False)
    for holder in holders:
        pipe.hlen(f"worker:{service}:inflight:{holder.decode()}")
    return sum(pipe.execute())
