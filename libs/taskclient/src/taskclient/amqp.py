"""RabbitMQ: the queues of the workers, and a publisher whose messages are on disk when it returns.

Needs the extra `taskclient[amqp]`. Queues are quorum queues. What a worker refuses for good, or what kills the worker
that receives it, RabbitMQ moves to the queue `<queue>.dead`; a worker makes dead letters of it. Messages for later wait
in the 28 queues of kombu's native delayed delivery, in the broker, whatever becomes of the workers.
https://docs.celeryq.dev/en/stable/getting-started/backends-and-brokers/rabbitmq.html
"""

import math
import os
import select
import socket
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import amqp
from amqp.method_framing import frame_handler
from amqp.serialization import PROPERTY_CLASSES
from kombu import Connection, Exchange, Queue, binding
from kombu.exceptions import KombuError
from kombu.transport.native_delayed_delivery import (
    CELERY_DELAYED_DELIVERY_EXCHANGE,
    MAX_NUMBER_OF_BITS_TO_USE,
    calculate_routing_key,
    declare_native_delayed_delivery_exchanges_and_queues,
    level_name,
)

from taskclient.amqp_message import AmqpMessage, from_raw
from taskclient.errors import BrokerUnavailable, QueueFull
from taskclient.urls import without_password

#: Deliveries after which RabbitMQ itself moves a message away; workers do so earlier, at TASK_DELIVERY_LIMIT.
MOST_DELIVERIES: Final = 20
TASKS: Final = Exchange("tasks", type="topic")  # Celery sends for later over topic exchanges only
_LATER = Exchange(CELERY_DELAYED_DELIVERY_EXCHANGE, type="topic")
_FIRST_LEVEL = level_name(MAX_NUMBER_OF_BITS_TO_USE - 1)
_BITS = ".".join("*" * MAX_NUMBER_OF_BITS_TO_USE)  # in the routing key before the queue's name
_LONGEST_DELAY = 2**MAX_NUMBER_OF_BITS_TO_USE - 1  # seconds, eight years
_DAYS_7 = 7 * 86_400 * 1000  # ms
# https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf, 4.2.6.1: class, weight, size of the body, then the properties.
_HEADER_FRAME, _CLASS_BASIC, _PROPERTIES_AT, _NO_PROPERTIES = 2, 60, 12, b"\0\0"
_CONNECT_SECONDS = 3
_CONFIRM_SECONDS = 10


def _readable(properties: bytes) -> bool:
    try:
        PROPERTY_CLASSES[_CLASS_BASIC](properties, 0)
    except Exception:  # noqa: BLE001 - whatever is in there
        return False
    return True


def tolerant_frames(connection: Any, callback: Any, **options: Any) -> Any:
    """py-amqp's handler of frames, but a message whose properties are not readable comes without any.

    py-amqp would raise (text that is no UTF-8 is enough), and the worker would connect again and get it again.
    """
    on_frame = frame_handler(connection, callback, **options)

    def handle(frame: Any) -> Any:
        kind, channel, content = frame
        if kind == _HEADER_FRAME and not _readable(bytes(content[_PROPERTIES_AT:])):
            content = bytes(content[:_PROPERTIES_AT]) + _NO_PROPERTIES
        return on_frame((kind, channel, content))

    return handle


#: For kombu's Connection: confirms, and a silent network is noticed after 10 s instead of py-amqp's single second.
TRANSPORT_OPTIONS: Final[dict[str, Any]] = {
    "confirm_publish": True,
    "frame_handler": tolerant_frames,
    "write_timeout": _CONFIRM_SECONDS,
    "socket_settings": {
        getattr(socket, name): value
        for name, value in {
            "TCP_USER_TIMEOUT": 10_000,
            "TCP_KEEPIDLE": 10,
            "TCP_KEEPINTVL": 5,
            "TCP_KEEPCNT": 3,
        }.items()
        if hasattr(socket, name)  # not every system has all of them
    },
}
ERRORS: Final = (amqp.AMQPError, amqp.exceptions.MessageNacked, KombuError, OSError)


def task_queue(name: str) -> Queue:
    """The queue that workers consume; whoever declares it must do it like this, or RabbitMQ refuses.

    Its arguments are the same for ever, because RabbitMQ cannot change those of a queue that exists.
    """
    queue = Queue(
        name,
        routing_key=name,
        bindings=[binding(TASKS, routing_key=name), binding(_LATER, routing_key=f"{_BITS}.{name}")],
        queue_arguments={
            "x-queue-type": "quorum",
            "x-delivery-limit": MOST_DELIVERIES,
            "x-consumer-timeout": _DAYS_7,  # RabbitMQ's 30 minutes would take long tasks away from living workers
            "x-overflow": "reject-publish",  # what the next two need
            "x-dead-letter-strategy": "at-least-once",
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": f"{name}.dead",
        },
    )
    queue.exchange = TASKS  # kombu takes it from the bindings when it declares, Celery from here when it sends
    return queue


def dead_queue(name: str) -> Queue:
    """Where RabbitMQ puts what it moves out of the queue `name`."""
    return Queue(f"{name}.dead", queue_arguments={"x-queue-type": "quorum", "x-delivery-limit": -1})


def declare_delays(connection: Connection) -> None:
    """Make the exchanges and queues of native delayed delivery, if they are missing."""
    declare_native_delayed_delivery_exchanges_and_queues(connection, "quorum")


def declare_queue(channel: Any, name: str) -> None:
    """Make a task queue and its queue of dead messages, if they are missing.

    Raises:
        amqp.PreconditionFailed: a queue of that name exists with other arguments.
    """
    dead_queue(name)(channel).declare()
    task_queue(name)(channel).declare()


class Publisher:
    """Publishes raw messages and waits until RabbitMQ has them on disk; threads may share it, forks too.

    Args:
        url: as in `amqp://user:password@host:5672//`.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._idle: deque[_Link] = deque()
        self._known: set[str] = set()  # queues that exist
        self._pid = os.getpid()

    def close(self) -> None:
        """Close all connections."""
        while self._idle:
            self._idle.pop().close()

    def push(self, queue: str, raw: bytes, *, due: float | None = None) -> None:
        """Publish one message, once; a missing queue is made.

        Args:
            queue: the queue's name.
            raw: the message as a Redis list would keep it.
            due: seconds since 1970 before which it is not delivered; default: the message's own `eta`.

        Raises:
            QueueFull: RabbitMQ refused it, because a policy limits the queue's length.
            BrokerUnavailable: RabbitMQ could not be reached, refused, or did not confirm.
        """
        message = from_raw(raw)
        start = due or message.eta or 0.0
        with self._link() as link:
            if start <= time.time():
                self._now(link, queue, message)
            else:
                self._later(link, queue, message, start)

    def _now(self, link: "_Link", queue: str, message: AmqpMessage) -> None:
        if not link.publish(message, "", queue):
            declare_queue(link.channel, queue)
            if not link.publish(message, "", queue):
                raise BrokerUnavailable(f"RabbitMQ did not take a message for queue {queue!r}, which was just made.")

    def _later(self, link: "_Link", queue: str, message: AmqpMessage, start: float) -> None:
        if queue not in self._known:
            link.make_ready(queue)
            self._known.add(queue)
        seconds = min(max(math.ceil(start - time.time()), 1), _LONGEST_DELAY)
        message.properties.pop("expiration", None)  # it would end the wait; the worker looks at the header
        link.publish(message, _FIRST_LEVEL, calculate_routing_key(seconds, queue))

    @contextmanager
    def _link(self) -> Iterator["_Link"]:
        link = self._take()
        try:
            with _translated(self._url, "The message may be in the queue or not: look at the task's status first."):
                yield link
        except BaseException:
            link.close()  # an answer may still come, and must not be taken for that to the next message
            raise
        self._idle.append(link)

    def _take(self) -> "_Link":
        if self._pid != os.getpid():  # the sockets are the parent's
            self._pid, self._idle = os.getpid(), deque()
        while self._idle:
            link = self._idle.pop()
            if link.usable():
                return link
            link.close()
        with _translated(self._url, "Nothing was sent. Check that it runs, and the URL, user and password."):
            return _Link(self._url)


class _Link:
    """One connection with one channel, used by one thread at a time."""

    def __init__(self, url: str) -> None:
        self._connection = _connected(url)
        self.channel = self._connection.channel()
        self._returned = False
        self.channel.events["basic_return"].add(self._on_return)

    def close(self) -> None:
        with suppress(*ERRORS):
            self._connection.collect(socket_timeout=1)

    def usable(self) -> bool:
        """Nothing has come meanwhile; what comes unasked is the end of the connection, or not worth telling apart."""
        sock = self._connection.connection.sock
        return sock is not None and not select.select([sock], [], [], 0)[0]

    def make_ready(self, queue: str) -> None:
        """Have all exchanges and queues that a message for later needs; what exists is not declared again."""
        try:
            with self._connection.channel() as channel:
                channel.queue_declare(queue, passive=True)
                channel.exchange_declare(_FIRST_LEVEL, "topic", passive=True)
        except amqp.NotFound:
            declare_delays(self._connection)
            declare_queue(self.channel, queue)

    def publish(self, message: AmqpMessage, exchange: str, routing_key: str) -> bool:
        """Publish and wait for the confirmation; False: no queue took it."""
        self._returned = False
        properties = dict(message.properties)
        prepared = self.channel.prepare_message(
            message.body,
            priority=properties.pop("priority", None),
            content_type=message.content_type,
            content_encoding=message.content_encoding,
            headers=message.headers,
            properties={**properties, "delivery_mode": 2},
        )
        self.channel.basic_publish(
            prepared, exchange=exchange, routing_key=routing_key, mandatory=True, confirm_timeout=_CONFIRM_SECONDS
        )
        return not self._returned

    def _on_return(self, *_: Any) -> None:
        # RabbitMQ confirms a returned message as well, after this. An exception here would leave that confirmation
        # to the next message.
        self._returned = True


def _connected(url: str) -> Any:
    options: dict[str, Any] = {"max_retries": 2, "interval_start": 0.1, "interval_step": 0.2}
    connection = Connection(url, connect_timeout=_CONNECT_SECONDS, transport_options=dict(TRANSPORT_OPTIONS))
    connection.ensure_connection(**options)
    return connection


@contextmanager
def _translated(url: str, hint: str) -> Iterator[None]:
    try:
        yield
    except amqp.exceptions.MessageNacked as error:
        raise QueueFull(
            "Nothing was sent: RabbitMQ refused the message, because a policy limits the queue's length. "
            "Send again when the workers have caught up."
        ) from error
    except ERRORS as error:
        text = str(error).strip().rstrip(".") or type(error).__name__
        raise BrokerUnavailable(f"RabbitMQ at {without_password(url)} failed: {text}. {hint}") from error
