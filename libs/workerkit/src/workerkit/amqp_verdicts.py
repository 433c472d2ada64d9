"""What can become of a delivered message on RabbitMQ beside being run; `workerkit.verdicts` calls it.

Each verdict first puts the message in its new place, which confirms, and then acknowledges it: a worker that dies in
between leaves it in both places, never in none. What cannot be kept because Redis is away is rejected; RabbitMQ moves
it to the queue of dead messages, from where `workerkit.amqp_dead` takes it when Redis is back.
"""

import os
import socket
import time
from functools import lru_cache
from typing import Any

import structlog
from celery import current_app
from redis.exceptions import RedisError

from taskclient.amqp import Publisher
from taskclient.amqp_message import to_raw
from taskclient.errors import BrokerUnavailable
from taskclient.letters import BURY_LUA, SERVICES_KEY, dead_key
from taskclient.parked import PARKED_LUA
from workerkit import amqp, failures
from workerkit.broker import broker_client
from workerkit.transport.describe import letter_of
from workerkit.transport.holder import Options
from workerkit.transport.keys import prefix

log = structlog.get_logger("worker")
_BURY = (
    BURY_LUA
    + """
bury(KEYS[1], ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), {tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])})
redis.call('SADD', KEYS[2], ARGV[8])
"""
)
_PARK = (
    PARKED_LUA
    + """
redis.call('LPUSH', KEYS[1], parked_entry(ARGV[1], redis.call('TIME')[1] * 1000, ARGV[4]))
redis.call('SADD', KEYS[2], ARGV[2])
redis.call('SADD', KEYS[3], ARGV[3])
"""
)


def delay(message: Any, due: float) -> None:
    """Deliver it again, not before `due` (seconds since 1970); it is a new message, so its deliveries begin anew.

    Raises:
        ConnectionError: RabbitMQ did not take it; the worker connects again, and gets the message again.
    """
    queue = _queue(message)
    try:
        publisher().push(queue, to_raw(message, queue), due=due)
    except BrokerUnavailable as error:
        raise ConnectionError(str(error)) from error
    message.ack()


def bury(message: Any, reason: str, error: str) -> None:
    """Make it a dead letter; its caller reads a failure."""
    queue = _queue(message)
    raw = to_raw(message, queue)
    if _kept(message, lambda: write_letter(raw, queue, reason, error)):
        message.ack()
        failures.report(current_app, raw, error)


def bury_when_finished(message: Any, reason: str, error: str, *, traceback: str | None, retries: int) -> None:
    """Its task has failed for good: when it is acknowledged it becomes a dead letter."""
    queue = _queue(message)
    ack, raw = message.ack, to_raw(message, queue)

    def bury_and_ack(*args: Any, **options: Any) -> None:
        if _kept(message, lambda: write_letter(raw, queue, reason, error, traceback=traceback, retries=retries)):
            ack(*args, **options)

    message.ack = bury_and_ack  # Celery's promise to acknowledge calls it by this name


def park(message: Any, task: str) -> None:
    """Keep it until a worker comes that knows its task."""
    queue = _queue(message)
    raw = to_raw(message, queue)
    if _kept(message, lambda: write_parked(raw, queue, task)):
        message.ack()


def write_letter(raw: bytes, queue: str, reason: str, error: str, **known: Any) -> None:
    """Write a dead letter to Redis.

    Args:
        raw: the message.
        queue: where it came from.
        reason: one of the words in `taskclient.letters`.
        error: one line.
        known: further fields of a `Letter`.

    Raises:
        redis.RedisError: it is not written.
    """
    service = str(current_app.main)
    version = current_app.conf.broker_transport_options.get("version", "")
    about = {"service": service, "version": version, "worker": f"{socket.gethostname()}:{os.getpid()}", "list": queue}
    letter = letter_of(raw, reason, error, **about, **known)
    arguments = [letter.id, letter.model_dump_json(), raw, time.time(), *Options(service).letter_limits(), service]
    client: Any = broker_client()
    client.eval(_BURY, 2, dead_key(service), SERVICES_KEY, *arguments)
    log.warning("a message became a dead letter", letter=letter.id, task=letter.task, reason=reason, error=letter.error)


def write_parked(raw: bytes, queue: str, task: str) -> None:
    """Park a message in Redis.

    Raises:
        redis.RedisError: it is not parked.
    """
    service = str(current_app.main)
    parked = f"{prefix(service)}:parked"
    client: Any = broker_client()
    client.eval(_PARK, 3, f"{parked}:{task}", parked, SERVICES_KEY, queue, task, service, raw)


def publisher() -> Publisher:
    """The publisher of this process."""
    return _publisher(str(current_app.conf.broker_url))


@lru_cache
def _publisher(url: str) -> Publisher:
    return Publisher(url)


def _kept(message: Any, write: Any) -> bool:
    try:
        write()
    except RedisError as error:
        log.warning("Redis is away; RabbitMQ keeps the message", error=str(error))
        message.reject()
        return False
    return True


def _queue(message: Any) -> str:
    return amqp.queue_of(message, current_app.amqp.queues.consume_from)
