# mypy: disable-error-code="import-not-found, untyped-decorator"
"""taskiq, with a Redis list, or with BENCH_STREAM a Redis stream."""

import asyncio
import os
from functools import cache
from typing import Any

from taskiq_redis import ListQueueBroker, RedisAsyncResultBackend, RedisStreamBroker

from compare.systems.bodies import COROUTINES, URL, VARIANT

AT_ONCE = 100
SOON = {"idle_timeout": 3000, "xread_block": 500, "unacknowledged_lock_timeout": 3}
if "BENCH_STREAM" in os.environ:
    # From the stream's beginning: tasks are sent before the worker has made its group.
    broker = RedisStreamBroker(URL, consumer_id="0", **(SOON if VARIANT == "kill" else {}))
else:
    broker = ListQueueBroker(URL)
if VARIANT == "results":
    broker = broker.with_result_backend(RedisAsyncResultBackend(URL))
_tasks = {_body: broker.task(task_name=_body)(_function) for _body, _function in COROUTINES.items()}


@cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    loop.run_until_complete(broker.startup())
    return loop


def send(body: str, payload: dict[str, Any]) -> None:
    """By `kiq`."""
    _loop().run_until_complete(_tasks[body].kiq(**payload))


def send_all(body: str, payloads: list[dict[str, Any]]) -> None:
    """By `kiq`, many at a time: it has no other way."""
    _loop().run_until_complete(_send_all(body, payloads))


async def _send_all(body: str, payloads: list[dict[str, Any]]) -> None:
    for first in range(0, len(payloads), AT_ONCE):
        await asyncio.gather(*(_tasks[body].kiq(**payload) for payload in payloads[first : first + AT_ONCE]))
