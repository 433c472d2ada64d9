"""One connection that hears of all tasks that a client waits for, however many they are."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import redis

from taskclient.aio_connection import AsyncRedis
from taskclient.results import LOOK_AGAIN, RECONNECT_PAUSE

News = asyncio.Queue[bytes | None]


class Listener:
    """Subscribes to channels as long as somebody waits for them; belongs to one event loop.

    Args:
        client: whose server it listens to; the connection is one of its own.
    """

    def __init__(self, client: AsyncRedis) -> None:
        self._pool: Any = client.connection_pool
        self._waiting: dict[bytes, set[News]] = {}
        self._subscribed: set[bytes] = set()  # over this connection
        self._connection: Any = None
        self._running: asyncio.Task[None] | None = None
        self._telling = asyncio.Lock()
        self._closed = False

    async def close(self) -> None:
        """Close the connection; who still waits hears nothing more."""
        self._closed = True
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])

    @asynccontextmanager
    async def news(self, channel: str) -> AsyncIterator[News]:
        """What is announced on a channel, until the end of the block.

        It brings the announcements, and None whenever one may have been missed: after the subscription has been
        confirmed, the first time and after each lost connection.
        """
        name, news = channel.encode(), News()
        self._waiting.setdefault(name, set()).add(news)
        if name in self._subscribed:
            news.put_nowait(None)
        try:
            await self._tell()
            yield news
        finally:
            self._waiting[name].discard(news)
            if not self._waiting[name]:
                del self._waiting[name]
                await self._tell()

    async def _tell(self) -> None:
        """Have the server know what is waited for; many who come at once are told in one command."""
        if self._closed:
            return
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run(), name="results of tasks")
        with suppress(redis.RedisError, OSError):  # the connection is lost: the next one begins with all that is wanted
            async with self._telling:
                await self._send("SUBSCRIBE", self._waiting.keys() - self._subscribed)
                await self._send("UNSUBSCRIBE", self._subscribed - self._waiting.keys())

    async def _send(self, command: str, names: set[bytes]) -> None:
        if names and self._connection is not None and self._connection.is_connected:
            self._subscribed ^= names
            await self._connection.send_command(command, *names, check_health=False)

    async def _run(self) -> None:
        while self._waiting:
            try:
                await self._listen()
            except (redis.RedisError, OSError):  # who waits looks every few seconds, and says what is wrong
                await asyncio.sleep(RECONNECT_PAUSE)

    async def _listen(self) -> None:
        """Hand on what comes, until nobody has waited for a while."""
        connection = self._pool.make_connection()
        try:
            await connection.connect()
            self._subscribed, self._connection = set(), connection
            await self._tell()
            asked = False
            while True:
                answer = await connection.read_response(timeout=LOOK_AGAIN)
                if answer is not None:
                    asked = False
                    self._hand_on(answer)
                elif asked or not self._waiting:
                    return
                else:  # a silent network looks like this, too
                    asked = True
                    await connection.send_command("PING", check_health=False)
        finally:
            self._connection, self._subscribed = None, set()
            await connection.disconnect(nowait=True)

    def _hand_on(self, answer: list[Any]) -> None:
        kind, name = answer[0], answer[1]
        if kind in {b"message", b"subscribe"}:
            for news in self._waiting.get(name, ()):
                news.put_nowait(answer[2] if kind == b"message" else None)
