"""A connection to Redis that does not hold up the event loop while it waits for a reply."""

import asyncio
from collections.abc import Sequence
from typing import Any

from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from workerkit.async_tasks import greenlets
from workerkit.transport.link import Link

_SECONDS = 5.0


class LoopLink(Link):
    """Waits on the loop where the caller may, else as any other."""

    def command(self, *words: Any) -> Any:
        """Send one command and return its reply."""
        self._connection.send_command(*words)
        self._await_reply()
        return self._connection.read_response()

    def commands(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        """Send many at once and return their replies; one that Redis refuses has its error in that place."""
        self._connection.send_packed_command(self._connection.pack_commands(commands))
        self._await_reply()
        return [self._reply() for _ in commands]

    def _reply(self) -> Any:
        try:
            return self._connection.read_response()
        except ResponseError as error:
            return error

    def _await_reply(self) -> None:
        if not greenlets.may_wait():
            return
        loop = asyncio.get_running_loop()
        readable = loop.create_future()
        socket = self._connection._sock
        timer = loop.call_later(self._connection.socket_timeout or _SECONDS, _resolve, readable, False)
        loop.add_reader(socket, _resolve, readable, True)
        try:
            came = greenlets.wait(readable)
        finally:
            timer.cancel()
            loop.remove_reader(socket)
        if not came:
            raise RedisTimeoutError("Redis does not answer")


def _resolve(future: "asyncio.Future[bool]", came: bool) -> None:
    if not future.done():
        future.set_result(came)
