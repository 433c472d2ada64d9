# mypy: disable-error-code="import-not-found, untyped-decorator"
"""arq, with more jobs at a time and a shorter pause between looks than its defaults, which run 10 and wait 0.5 s."""

import asyncio
from dataclasses import replace
from functools import cache
from typing import Any
from urllib.parse import unquote

import arq
from arq.connections import ArqRedis, RedisSettings

from compare.systems.bodies import COROUTINES, URL, VARIANT

AT_ONCE = 100
_SETTINGS = RedisSettings.from_dsn(URL)


def _function(body: str) -> Any:
    async def run(_context: dict[str, Any], **payload: Any) -> Any:
        return await COROUTINES[body](**payload)

    return arq.func(run, name=body, keep_result=60 if VARIANT == "results" else 0)


class WorkerSettings:
    """What `arq` reads."""

    functions = [_function(_body) for _body in COROUTINES]  # noqa: RUF012  - arq's own form
    redis_settings = replace(_SETTINGS, password=unquote(_SETTINGS.password or ""))  # it takes the URL's as it stands
    max_jobs = 100
    poll_delay = 0.01
    job_timeout = 2 if VARIANT == "kill" else 300


@cache
def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


@cache
def _pool() -> ArqRedis:
    return _loop().run_until_complete(arq.create_pool(WorkerSettings.redis_settings))


def send(body: str, payload: dict[str, Any]) -> None:
    """By `enqueue_job`."""
    _loop().run_until_complete(_pool().enqueue_job(body, **payload))


def send_all(body: str, payloads: list[dict[str, Any]]) -> None:
    """By `enqueue_job`, many at a time: it has no other way."""
    pool = _pool()
    _loop().run_until_complete(_send_all(pool, body, payloads))


async def _send_all(pool: ArqRedis, body: str, payloads: list[dict[str, Any]]) -> None:
    for first in range(0, len(payloads), AT_ONCE):
        some = payloads[first : first + AT_ONCE]
        await asyncio.gather(*(pool.enqueue_job(body, **payload) for payload in some))
