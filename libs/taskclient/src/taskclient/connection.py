"""Opens Redis connections that give up within seconds, and turns their errors into ones that teach."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit

import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from taskclient.errors import BrokerUnavailable
from taskclient.urls import without_password

if TYPE_CHECKING:
    RedisClient: TypeAlias = redis.Redis[bytes]  # generic in the stubs only, not at run time
else:
    RedisClient: TypeAlias = redis.Redis

OPTIONS: dict[str, Any] = {
    "protocol": 2,  # with 3, redis-py 8 does not see at checkout that the server has closed an idle connection
    "socket_connect_timeout": 3,  # seconds; a wrong address shows at once
    "socket_timeout": 5,  # seconds; no command used here takes longer on a healthy server
    "socket_keepalive": True,  # firewalls forget silent connections
    "health_check_interval": 10,  # seconds of silence after which a connection is tested before use
}


class ReplyLost(redis.ConnectionError):
    """The command was on its way when the connection broke, so Redis may have done it or not."""


_HINTS = {  # by the name of the error's class; the class closest to the error speaks
    "ReplyLost": "The message may be in the queue or not: look at the task's status before you send it again, "
    "and then send it under the same task_id.",
    "AuthenticationError": "Check the user and the password in the URL.",
    "NoPermissionError": "This user's ACL does not allow the command; ask for the right to it.",
    "OutOfMemoryError": "It is full; free memory or raise maxmemory, then try again.",
    "ReadOnlyError": "This is a replica; use the URL of the primary.",
    "BusyLoadingError": "It is still loading its data; try again in a moment.",
    "TimeoutError": "It does not answer in time; look at its load and at the network, then try again.",
    "ConnectionError": "Check that it runs and that the URL is right, then try again.",
    "RedisError": "Redis itself refused; its own words say why.",
}


def connect(url: str) -> RedisClient:
    """A client for the URL; it connects on first use.

    Connecting and reading are tried three times within about a second before the error is raised.

    Raises:
        ValueError: the URL is not a redis:// or rediss:// URL.
    """
    check_redis_url(url)
    retry = Retry(ExponentialBackoff(cap=0.5, base=0.1), retries=2)
    client: RedisClient = redis.Redis.from_url(url, retry=retry, **OPTIONS)
    return client


def check_redis_url(url: str) -> None:
    """Refuse what is no URL of Redis.

    Raises:
        ValueError: it is not a redis:// or rediss:// URL.
    """
    if urlsplit(url).scheme not in {"redis", "rediss"}:
        raise ValueError(f"{without_password(url)!r} is not a Redis URL, which is redis://host:6379/0 or rediss://...")


def call_once(client: RedisClient, *command: Any) -> Any:
    """Send one command that is never repeated on its own: a reply that got lost would put a task into a queue twice.

    Only connecting is retried. redis-py offers one retry for both, hence the connection is used directly.

    Returns:
        Redis' answer.

    Raises:
        redis.RedisError: no connection (nothing was sent), a refusal (nothing was done), or `ReplyLost`.
    """
    pool: Any = client.connection_pool  # Any, because the stubs describe redis-py 4
    connection = pool.get_connection()
    try:
        connection.send_command(*command)
        return connection.read_response()
    except (redis.ConnectionError, redis.TimeoutError) as error:
        raise ReplyLost(str(error)) from error
    finally:
        pool.release(connection)


@contextmanager
def broker_errors(url: str, doing: str) -> Iterator[None]:
    """Raise `BrokerUnavailable` for any Redis error inside, with the host, the cause and the next step.

    Args:
        url: the server's URL; its password is hidden in the message.
        doing: what was being done, as in "reading the result of task 42".
    """
    try:
        yield
    except redis.RedisError as error:
        host = without_password(url)
        raise BrokerUnavailable(f"Redis at {host} failed {doing}: {_sentence(error)} {_hint(error)}") from error


def _sentence(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text if text.endswith((".", "!")) else f"{text}."


def _hint(error: Exception) -> str:
    return next(_HINTS[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in _HINTS)
