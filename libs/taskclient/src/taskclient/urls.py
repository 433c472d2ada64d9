"""URLs of Redis and RabbitMQ: put the password in, hide it, and find the database of the results."""

import os
import re
from urllib.parse import SplitResult, quote, urlsplit

LOCAL_BROKER = "redis://localhost:6379/0"
_SECRET_IN_QUERY = re.compile(r"(^|&)(password=)[^&]*")


def is_amqp(url: str) -> bool:
    """Whether a broker's URL means RabbitMQ."""
    return urlsplit(url).scheme in {"amqp", "amqps"}


def with_password(url: str, password: str | None, user: str | None = None) -> str:
    """Insert a password into a URL that has none, so that the secret can be kept apart from the address.

    Args:
        url: as in `redis://host:6379/0` or `redis://user@host:6379/0`.
        password: the secret as it is, not percent-encoded; None or empty leaves the URL as it is.
        user: whose password it is, where the URL names nobody; None or empty is the server's default user.

    Returns:
        The URL with the password percent-encoded; a URL that has a password keeps its own, and its user.
    """
    parts = urlsplit(url)
    if not password or parts.password:
        return url
    host = parts.netloc.rpartition("@")[2]
    name = _user_of(parts) or quote(user or "", safe="")
    return parts._replace(netloc=f"{name}:{quote(password, safe='')}@{host}").geturl()


def without_password(url: str) -> str:
    """The URL with its password replaced by `***`, fit for messages and logs."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    query = _SECRET_IN_QUERY.sub(r"\1\2***", parts.query)
    netloc = f"{_user_of(parts)}:***@{host}" if parts.password else parts.netloc
    return parts._replace(netloc=netloc, query=query).geturl()


def redis_of(broker_url: str, redis_url: str | None = None) -> str:
    """The Redis for all that is no queue: the broker, or with RabbitMQ `redis_url` or what TASK_REDIS_URL names.

    Raises:
        ValueError: the broker is RabbitMQ, and no Redis is named.
    """
    if not is_amqp(broker_url):
        return broker_url
    url = redis_url or os.environ.get("TASK_REDIS_URL")
    if not url:
        raise ValueError(
            f"The broker {without_password(broker_url)!r} is RabbitMQ, so results, catalog and dead letters need a "
            "Redis: name it by TASK_REDIS_URL (redis_url), as in redis://redis:6379/0."
        )
    return url


def default_result_url(broker_url: str) -> str:
    """Where results live unless told otherwise: the broker's Redis, in the database after the broker's.

    Args:
        broker_url: as in `redis://host:6379/0`; a URL without a database means database 0.

    Returns:
        The same URL with the next database, as in `redis://host:6379/1`; the query string stays.

    Raises:
        ValueError: the broker is not Redis, or its database is not a number in the URL's path.
    """
    parts = urlsplit(broker_url)
    database = parts.path.strip("/") or "0"
    if parts.scheme not in {"redis", "rediss"} or not database.isdecimal() or "db=" in parts.query:
        raise ValueError(
            f"No result database follows from the broker {without_password(broker_url)!r}: "
            "its form is not redis://host:port/<number>. Name a result URL as well, as in redis://host:6379/1."
        )
    return parts._replace(path=f"/{int(database) + 1}").geturl()


def _user_of(parts: SplitResult) -> str:
    """The user as it stands in the URL, still percent-encoded."""
    return parts.netloc.rpartition("@")[0].partition(":")[0]
