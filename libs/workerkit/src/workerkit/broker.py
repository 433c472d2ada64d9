"""The Redis that the broker is on, for what all processes of a service share beside the queues: locks, circuits."""

from functools import lru_cache

from celery import current_app

from taskclient.connection import RedisClient, connect


def broker_client() -> RedisClient:
    """A client of the current application's broker, one for each process; it connects at first use."""
    return _client(str(current_app.conf.broker_url))


@lru_cache
def _client(url: str) -> RedisClient:
    return connect(url)
