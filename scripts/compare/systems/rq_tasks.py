# mypy: disable-error-code="import-not-found, untyped-decorator"
"""RQ."""

from typing import Any

import redis
from rq import Queue

from compare.systems.bodies import PLAIN, URL, VARIANT

_queue = Queue("bench", connection=redis.Redis.from_url(URL))
REDIS_URL = URL  # `rq worker-pool -c` reads it, and imports the tasks before it forks
_SECONDS = 60 if VARIANT == "results" else 0
AT_ONCE = 500


def send(body: str, payload: dict[str, Any]) -> None:
    """By `enqueue`."""
    _queue.enqueue(PLAIN[body], kwargs=payload, result_ttl=_SECONDS)


def send_all(body: str, payloads: list[dict[str, Any]]) -> None:
    """By `enqueue_many`."""
    for first in range(0, len(payloads), AT_ONCE):
        some = payloads[first : first + AT_ONCE]
        prepare = Queue.prepare_data
        _queue.enqueue_many([prepare(PLAIN[body], kwargs=payload, result_ttl=_SECONDS) for payload in some])
