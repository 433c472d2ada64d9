"""The Redis for what all processes of a service share beside the queues: locks, circuits, dead letters.

It is the broker; with RabbitMQ as broker it is the Redis that TASK_REDIS_URL names.
"""

from functools import lru_cache

from celery import current_app

from taskclient.connection import RedisClient, connect
from taskclient.urls import is_amqp, with_password


def broker_client() -> RedisClient:
    """A client of the current application's Redis, one for each process; it connects at first use."""
    return _client(redis_url())


def redis_url() -> str:
    """The URL of that Redis, with its password."""
    conf = current_app.conf
    if not is_amqp(str(conf.broker_url)):
        return str(conf.broker_url)
    return with_password(str(conf.redbeat_redis_url), conf.redbeat_redis_options.get("password"))


@lru_cache
def _client(url: str) -> RedisClient:
    return connect(url)
