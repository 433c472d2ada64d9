"""Reads results for asyncio: as `taskclient.results`, with one subscribed connection for all that is waited for."""

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing

from taskclient.aio_connection import connect
from taskclient.aio_listener import Listener, News
from taskclient.chords import CHORD_SECONDS, chord_sizes
from taskclient.connection import broker_errors
from taskclient.results import (
    AWAY,
    KEY_PREFIX,
    LOOK_AGAIN,
    RECONNECT_PAUSE,
    REFUSED,
    TaskRecord,
    record_of,
    still_running,
)


class AsyncResultStore:
    """The database of the results.

    Args:
        url: as in `redis://host:6379/1`, the workers' `result_backend`.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._redis = connect(url)
        self._listener = Listener(self._redis)

    async def close(self) -> None:
        """Close all connections."""
        await self._listener.close()
        await self._redis.aclose()  # type: ignore[attr-defined]  # the stubs describe redis-py 4

    async def get(self, task_id: str) -> TaskRecord:
        """The record as it is now.

        Raises:
            BrokerUnavailable: Redis could not be asked.
        """
        with broker_errors(self._url, f"reading the result of task {task_id}"):
            return record_of(task_id, await self._redis.get(KEY_PREFIX + task_id))

    async def get_many(self, task_ids: Sequence[str]) -> dict[str, TaskRecord]:
        """The records of several tasks as they are now, by their ids, in one question.

        Raises:
            BrokerUnavailable: Redis could not be asked.
        """
        if not task_ids:
            return {}
        with broker_errors(self._url, f"reading the results of {len(task_ids)} tasks"):
            stored = await self._redis.mget([KEY_PREFIX + task_id for task_id in task_ids])
        return {task_id: record_of(task_id, raw) for task_id, raw in zip(task_ids, stored, strict=True)}

    async def expect_chords(self, chords: Mapping[str, int]) -> None:
        """As `ResultStore.expect_chords`."""
        with broker_errors(self._url, "writing the sizes of chords"):
            for key, size in chord_sizes(chords).items():
                await self._redis.set(key, size, ex=CHORD_SECONDS, nx=True)

    async def wait(self, task_id: str, timeout: float | None) -> TaskRecord:
        """The record when the task has finished; arguments and errors are those of `ResultStore.wait`."""
        record = TaskRecord(task_id)
        async with aclosing(self.updates(task_id, timeout)) as records:
            async for record in records:  # noqa: B007 - the last one counts
                pass
        if not record.finished:
            raise still_running(record)
        return record

    async def updates(self, task_id: str, timeout: float | None) -> AsyncGenerator[TaskRecord]:
        """The record as it is now and then every change; arguments and errors are those of `ResultStore.updates`."""
        ends = math.inf if timeout is None else time.monotonic() + timeout
        yield (last := await self.get(task_id))  # a wrong URL shows here, before any wait
        if last.finished or ends <= time.monotonic():
            return
        with broker_errors(self._url, f"reading the result of task {task_id}"):
            async with self._listener.news(KEY_PREFIX + task_id) as news:
                while time.monotonic() < ends:
                    record = await self._next(last, news, ends)
                    if record != last:
                        yield (last := record)
                    if record.finished:
                        return

    async def _next(self, last: TaskRecord, news: News, ends: float) -> TaskRecord:
        """The next record that is announced; the one that is stored if nothing is for a while."""
        try:
            async with asyncio.timeout(min(LOOK_AGAIN, ends - time.monotonic())):
                raw = await news.get()
        except TimeoutError:
            raw = None
        try:
            return record_of(last.task_id, raw or await self._redis.get(KEY_PREFIX + last.task_id))
        except AWAY as error:
            if isinstance(error, REFUSED) or time.monotonic() + RECONNECT_PAUSE >= ends:
                raise
            await asyncio.sleep(RECONNECT_PAUSE)
            return last
