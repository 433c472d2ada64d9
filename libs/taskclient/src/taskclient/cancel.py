"""Takes a task back: what waits is never run, what runs is ended, also by a worker that was away or starts later."""

import base64
import json
import re
from collections.abc import Collection
from typing import Any, Final, Literal
from uuid import uuid4

from taskclient.connection import RedisClient
from taskclient.pending import in_flight

KEEP_DAYS: Final = 30.0  # so long a message may wait for its time, or parked, and is still known to be cancelled
_MOST: Final = 100_000  # ids of a service; beyond them the oldest are forgotten
_MAILBOX: Final = "celery.pidbox"  # the exchange of Celery's remote control
Found = Literal["waiting", "running", "finished"]


def cancelled_key(service: str) -> str:
    """The sorted set of cancelled tasks, id -> ms since 1970 when it is forgotten; its workers look at each claim."""
    return f"worker:{service}:cancelled"


def mark_cancelled(client: RedisClient, services: Collection[str], task_id: str) -> None:
    """From now on no worker of these services begins with the task, whenever it takes its message.

    Raises:
        redis.RedisError: Redis could not be reached, or refused.
    """
    now = client.time()[0] * 1000  # by its own clock, lest a wrong one here forget what others have cancelled
    kept = int(KEEP_DAYS * 86_400_000)
    pipe: Any = client.pipeline(transaction=True)
    for key in map(cancelled_key, services):
        pipe.zadd(key, {task_id: now + kept})
        pipe.zremrangebyscore(key, "-inf", now)
        pipe.zremrangebyrank(key, 0, -_MOST - 1)
        pipe.pexpire(key, kept)
    pipe.execute()


def is_held(client: RedisClient, services: Collection[str], task_id: str) -> bool:
    """Whether a worker has taken the task's message and not finished it.

    Raises:
        redis.RedisError: Redis could not be reached, or refused.
    """
    own_id = re.compile(rb'"id":\s*' + re.escape(json.dumps(task_id).encode()))
    return any(own_id.search(held.raw) for service in services for held in in_flight(client, service))


def order_end(client: RedisClient, task_id: str) -> None:
    """Have the workers end the task where it runs: what `app.control.revoke(task_id, terminate=True)` sends.

    Raises:
        redis.RedisError: Redis could not be reached, or refused.
    """
    database = client.connection_pool.connection_kwargs.get("db") or 0
    client.publish(f"/{database}.{_MAILBOX}", _order(task_id))


def _order(task_id: str) -> str:
    body = {
        "method": "revoke",
        "arguments": {"task_id": [task_id], "terminate": True, "signal": "SIGTERM"},
        "destination": None,
        "pattern": None,
        "matcher": None,
    }
    message = {
        "body": base64.b64encode(json.dumps(body).encode()).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"clock": 1, "expires": 0},
        "properties": {
            "delivery_mode": 1,
            "delivery_info": {"exchange": _MAILBOX, "routing_key": ""},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": str(uuid4()),
        },
    }
    return json.dumps(message)
