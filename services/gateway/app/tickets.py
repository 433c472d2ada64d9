"""Tickets: a browser can set no header on a WebSocket or an event stream, and a key must not stand in a URL."""

import secrets
from typing import Any, Final

import redis.asyncio

from app.keys import digest

SECONDS: Final = 30  # how long a ticket is good for one use
_KEY_PREFIX: Final = "gateway:ticket:"


class Tickets:
    """Tickets that any gateway on the same Redis takes, once.

    Args:
        client: of the Redis that all gateways share.
    """

    def __init__(self, client: "redis.asyncio.Redis[bytes]") -> None:
        self._redis: Any = client

    async def issue(self, key_id: str) -> str:
        """A new ticket for a key.

        Raises:
            redis.RedisError: Redis could not be reached, or refused.
        """
        ticket = secrets.token_urlsafe(24)
        await self._redis.set(_KEY_PREFIX + digest(ticket), key_id, ex=SECONDS)
        return ticket

    async def take(self, ticket: str) -> str | None:
        """The id of the ticket's key, which is good no more; None if it never was, or is over.

        Raises:
            redis.RedisError: Redis could not be reached, or refused.
        """
        key_id = await self._redis.getdel(_KEY_PREFIX + digest(ticket))
        return key_id.decode() if key_id else None
