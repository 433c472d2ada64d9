"""The workers of a service on Redis: which processes there are, and how many messages each of them holds."""

from dataclasses import dataclass
from typing import Any

from taskclient.connection import RedisClient


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker process.

    Args:
        id: its name in Redis, `<host>:<process id>:<random>`.
        service: whose worker, as in `email`.
        host: its host name; in a container the first twelve digits of the container's id, in Kubernetes the pod's name.
        pid: its main process there.
        held: messages that it has taken and not finished, those that run included; 0 means that it is idle.
        lease_seconds: how long it still counts as alive without a word from it, by Redis' clock; below 0 it is dead,
            and another worker is about to put its messages back.
    """

    id: str
    service: str
    host: str
    pid: int
    held: int
    lease_seconds: float


def workers(client: RedisClient, service: str) -> list[Worker]:
    """The workers of a service, those that hold the fewest messages first; none if its broker is RabbitMQ.

    Raises:
        redis.RedisError: Redis could not be reached, or refused.
    """
    seconds, microseconds = client.time()
    leases = client.zrange(f"worker:{service}:holders", 0, -1, withscores=True)
    pipe: Any = client.pipeline(transaction=False)
    for holder, _ in leases:
        pipe.hlen(f"worker:{service}:inflight:{holder.decode()}")
    now = seconds + microseconds / 1e6
    found = [
        _worker(holder.decode(), service, held, end / 1000 - now)
        for (holder, end), held in zip(leases, pipe.execute(), strict=True)
    ]
    return sorted(found, key=lambda worker: (worker.held, worker.id))


def _worker(holder: str, service: str, held: int, lease_seconds: float) -> Worker:
    host, pid, _ = holder.rsplit(":", 2)
    return Worker(holder, service, host, int(pid), held, lease_seconds)
