"""Redis connections for asyncio, with the same patience as those of `taskclient.connection`."""

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import redis
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff

from taskclient.connection import OPTIONS, ReplyLost, check_redis_url
from taskclient.producer import PUSH, PUSH_SHA, Limits

if TYPE_CHECKING:
    AsyncRedis: TypeAlias = Redis[bytes]  # generic in the stubs only, not at run time
else:
    AsyncRedis: TypeAlias = Redis

MOST_CONNECTIONS: Final = 32  # of one client; hundreds of calls at a time share them


def connect(url: str) -> AsyncRedis:
    """A client for the URL; it connects on first use, and belongs to the event loop in which it does.

    Raises:
        ValueError: the URL is not a redis:// or rediss:// URL.
    """
    check_redis_url(url)
    retry = Retry(ExponentialBackoff(cap=0.5, base=0.1), retries=2)
    pool: Any = BlockingConnectionPool.from_url(
        url, max_connections=MOST_CONNECTIONS, timeout=None, retry=retry, **OPTIONS
    )
    client: AsyncRedis = Redis.from_pool(pool)  # type: ignore[attr-defined]  # the stubs describe redis-py 4
    return client


async def call_once(client: AsyncRedis, *command: Any) -> Any:
    """As `taskclient.connection.call_once`: a command that is never repeated on its own.

    A caller that is cancelled meanwhile leaves no half-read connection behind.

    Raises:
        redis.RedisError: no connection (nothing was sent), a refusal (nothing was done), or `ReplyLost`.
    """
    pool: Any = client.connection_pool
    connection = await pool.get_connection()
    answered = False
    try:
        await connection.send_command(*command)
        answer = await connection.read_response()
        answered = True
    except redis.ResponseError:
        answered = True
        raise
    except (redis.ConnectionError, redis.TimeoutError) as error:
        raise ReplyLost(str(error)) from error
    finally:
        if not answered:
            await connection.disconnect(nowait=True)
        await pool.release(connection)
    return answer


class AsyncProducer:
    """Pushes messages within limits, as `taskclient.producer.Producer` does.

    Args:
        client: of the broker's database.
        limits: when a push is refused.
    """

    def __init__(self, client: AsyncRedis, limits: Limits) -> None:
        self._client, self._limits = client, limits

    async def push(self, queue: str, *messages: bytes) -> None:
        """Push all messages or none; arguments and errors are those of `Producer.push`."""
        max_memory = self._limits.memory_to_look_at()
        with self._limits.failures():
            answer = await self._call(1, queue, self._limits.max_backlog, max_memory, *messages)
        self._limits.answered(queue, answer, max_memory)

    async def _call(self, *arguments: Any) -> Any:
        try:
            return await call_once(self._client, "EVALSHA", PUSH_SHA, *arguments)
        except redis.exceptions.NoScriptError:  # nothing was done: this Redis has not seen the script yet
            return await call_once(self._client, "EVAL", PUSH, *arguments)
