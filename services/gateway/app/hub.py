"""Follows jobs for many viewers: each job is subscribed to once, each viewer gets the latest state at its own pace."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any, Final

import redis
import redis.asyncio
import structlog

from app.jobs import PROGRESS
from app.problems import TooManyViewers
from taskclient.errors import TaskClientError
from taskclient.results import KEY_PREFIX, TaskRecord, record_of

_PROGRESS_PREFIX: Final = "progress:"  # where tasks that store no result say how far they are
_NOBODY: Final = "progress:-"  # keeps the connection subscribed while nobody watches
_LOOK_SECONDS: Final = 5.0  # Redis does not repeat an announcement that a broken connection swallowed
_PAUSE_SECONDS: Final = 0.3
log = structlog.get_logger("gateway")


class Topic:
    """One job that somebody watches: its latest state, and who waits for the next one.

    Args:
        job_id: the job's id.
    """

    def __init__(self, job_id: str) -> None:
        self.job_id = job_id
        self.record: TaskRecord | None = None
        self.viewers = 0
        self.changed = asyncio.Event()

    def put(self, record: TaskRecord) -> None:
        """Take a newer state; what is final stays."""
        if record == self.record or (self.record and self.record.finished and not record.finished):
            return
        self.record = record
        self.changed.set()
        self.changed = asyncio.Event()


class Viewer:
    """One who watches a job.

    Args:
        topic: the job.
    """

    def __init__(self, topic: Topic) -> None:
        self._topic = topic
        self._seen: TaskRecord | None = None

    async def next(self, seconds: float) -> TaskRecord | None:
        """The latest state, if it is another one than the last time; states in between are left out.

        Args:
            seconds: how long to wait for one.

        Returns:
            None if there was none in this time.
        """
        changed = self._topic.changed
        if self._topic.record is None or self._topic.record == self._seen:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), seconds)
        if self._topic.record == self._seen:
            return None
        self._seen = self._topic.record
        return self._seen


class Hub:
    """All jobs that are watched, on one connection to Redis.

    Args:
        client: of the database of the results.
        most: viewers at a time.
    """

    def __init__(self, client: "redis.asyncio.Redis[bytes]", most: int) -> None:
        self._redis: Any = client
        self._channel: Any = client.pubsub()
        self._most = most
        self._topics: dict[str, Topic] = {}
        self._away = False

    @property
    def viewers(self) -> int:
        """How many watch."""
        return sum(topic.viewers for topic in self._topics.values())

    @contextlib.asynccontextmanager
    async def watch(self, job_id: str) -> AsyncIterator[Viewer]:
        """Watch a job; its first state comes at once.

        Raises:
            TooManyViewers: no more may watch now.
            redis.RedisError: Redis could not be reached, or refused.
        """
        self.check()
        topic = self._topics.setdefault(job_id, Topic(job_id))
        topic.viewers += 1
        try:
            if topic.viewers == 1:
                await self._channel.subscribe(*_channels(job_id))
            if topic.record is None:
                await self._look([topic])
            yield Viewer(topic)
        finally:  # without waiting for anything, as whoever leaves may have been cancelled; `_tidy` unsubscribes
            topic.viewers -= 1
            if not topic.viewers:
                del self._topics[job_id]

    def check(self) -> None:
        """See that one more may watch.

        Raises:
            TooManyViewers: no.
        """
        if self.viewers >= self._most:
            raise TooManyViewers(f"{self._most} event streams are open, and no more may be: try again later.")

    async def run(self) -> None:
        """Listen until cancelled; a connection that breaks is made anew, with all its subscriptions."""
        while True:
            try:
                await self._channel.subscribe(_NOBODY)
                self._away = False
                await self._listen()
            except redis.RedisError as error:
                if not self._away:  # once for each outage
                    log.warning("the events of jobs cannot be read", error=str(error))
                self._away = True
            except Exception:
                log.exception("the events of jobs cannot be read")  # whatever one of them was, all others go on
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        look_at = loop.time() + _LOOK_SECONDS
        while True:
            message = await self._channel.get_message(timeout=max(look_at - loop.time(), 0.01))
            if message:
                await self._take(message)
            if loop.time() >= look_at:
                await self._tidy()
                await self._look(list(self._topics.values()))
                look_at = loop.time() + _LOOK_SECONDS

    async def _take(self, message: dict[str, Any]) -> None:
        """One answer: an announcement, or a confirmation, after which alone a look at the key misses nothing."""
        channel = message["channel"].decode()
        prefix = KEY_PREFIX if channel.startswith(KEY_PREFIX) else _PROGRESS_PREFIX
        topic = self._topics.get(channel.removeprefix(prefix))
        if topic is None:
            return
        if message["type"] == "subscribe" and prefix == KEY_PREFIX:
            await self._look([topic])
        elif message["type"] == "message":
            record = _record(topic.job_id, message["data"], stored=prefix == KEY_PREFIX)
            if record:
                topic.put(record)

    async def _look(self, topics: list[Topic]) -> None:
        if not topics:
            return
        stored = await self._redis.mget([KEY_PREFIX + topic.job_id for topic in topics])
        for topic, raw in zip(topics, stored, strict=True):
            record = _record(topic.job_id, raw, stored=True) if raw else None
            if record or topic.record is None:  # a result that has expired changes nothing for who has seen it
                topic.put(record or TaskRecord(topic.job_id))

    async def _tidy(self) -> None:
        """Subscribe to all that is watched, and to nothing else."""
        wanted = {name.encode() for job_id in self._topics for name in _channels(job_id)} | {_NOBODY.encode()}
        known = set(self._channel.channels)
        if stale := known - wanted:
            await self._channel.unsubscribe(*stale)
        if missing := wanted - known:
            await self._channel.subscribe(*missing)


def _channels(job_id: str) -> tuple[str, str]:
    return KEY_PREFIX + job_id, _PROGRESS_PREFIX + job_id


def _record(job_id: str, raw: bytes, *, stored: bool) -> TaskRecord | None:
    """The state in an announcement; None if it cannot be read."""
    try:
        return record_of(job_id, raw) if stored else TaskRecord(job_id, PROGRESS, json.loads(raw))
    except (TaskClientError, ValueError) as error:
        log.warning("the state of a job cannot be read", job=job_id, error=str(error))
        return None
