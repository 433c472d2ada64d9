"""kombu's Redis channel, but task queues are claimed from by the holder's steps."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import structlog
from kombu.transport import redis, virtual
from kombu.utils.json import dumps
from redis.exceptions import RedisError

from workerkit.transport import registry
from workerkit.transport.feeder import Feeder
from workerkit.transport.holder import Holder, Options
from workerkit.transport.link import Link, WakeUp
from workerkit.transport.qos import QoS

log = structlog.get_logger("worker")
CLAIM = "CLAIM"  # beside kombu's BRPOP and LISTEN: what to do when a descriptor is readable


_Channel: Any = redis.Channel  # the stubs leave out the parts that are not public
_Message: Any = virtual.Message


class Message(_Message):  # type: ignore[misc]
    """A message that the guard has read; Celery looks into its body, and would decode it again."""

    def __init__(self, payload: dict[str, Any], channel: Any = None, **options: Any) -> None:
        super().__init__(payload, channel, **options)
        self._decoded_cache = payload.get("content")  # what comes by BRPOP or broadcast has none


class Channel(_Channel):  # type: ignore[misc]
    """Task queues, which are consumed with acknowledgements, are claimed from; all else is kombu's.

    All else is publishing, remote control and its replies, events: those consumers acknowledge nothing.
    """

    QoS = QoS
    Message = Message
    feeder: Feeder | None = None
    holder: Holder | None = None
    heard: int | None = None  # how many got the last broadcast
    service = "worker"
    lease = 15.0
    delivery_limit = 3
    version = ""

    from_transport_options = (*_Channel.from_transport_options, "service", "lease", "delivery_limit", "version")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._claimed_queues: list[str] = []
        self._popped: list[str] | None = None  # what is consumed without being claimed; None: to be found out
        self._plain: Any = None
        super().__init__(*args, **kwargs)

    @property
    def active_queues(self) -> list[str]:
        """The queues that kombu itself may pop from; asked for in each turn of the loop."""
        if self._popped is None:
            self._popped = [queue for queue in super().active_queues if queue not in self._claimed_queues]
        return self._popped

    def basic_consume(self, queue: str, no_ack: bool, *args: Any, **kwargs: Any) -> Any:
        """Consume; with acknowledgements by claiming."""
        if not no_ack and queue not in self._fanout_queues:
            self._claim_from(queue)
        return super().basic_consume(queue, no_ack, *args, **kwargs)

    def _claim_from(self, queue: str) -> None:
        if queue not in self._claimed_queues:
            self._claimed_queues.append(queue)
        if self.feeder is None:
            self._start_feeder()
        assert self.feeder is not None  # noqa: S101  - for the type checker
        self.feeder.queues = list(self._claimed_queues)
        self.feeder.look()

    def _basic_cancel(self, consumer_tag: str) -> Any:
        queue = self._tag_to_queue.get(consumer_tag)
        if queue in self._claimed_queues:
            self._claimed_queues.remove(queue)
            if self.feeder is not None:
                self.feeder.queues = list(self._claimed_queues)
                self.feeder.kick()
        return super()._basic_cancel(consumer_tag)

    def _update_queue_cycle(self) -> None:
        self._popped = None  # called whenever a consumer has begun or was cancelled
        super()._update_queue_cycle()

    def _start_feeder(self) -> None:
        connect = partial(Link, *self._link_arguments())
        options = Options(self.service, self.lease, self.delivery_limit, self.version)
        client = self.connection.client
        self.holder = registry.take(options, (client.hostname, client.port, client.virtual_host), connect)
        link = connect()
        wake_up = WakeUp(*self._link_arguments(), link)
        self.holder.step(link, [], 0)
        self.holder.reconcile(link)
        self.qos.holder = self.holder
        self.feeder = Feeder(self.holder, link, wake_up, lambda: self.qos.prefetch_count, self._hand_over)
        registry.started(self.holder, self.feeder.look)
        self.handlers[CLAIM] = self._pump
        for thing in (wake_up, self.feeder.kicked):
            self.connection.cycle.watch(self, thing)

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        """What kombu connects with; a connection that the event loop watches leaves the loop before it is closed.

        kombu takes it out afterwards, when its number no longer names it. If a process of the pool was forked since,
        that one still holds the socket, and epoll would report it for ever, under a number that another file has got.
        """
        options: dict[str, Any] = super()._connparams(asynchronous)
        if not asynchronous:
            return options
        channel = self
        kind: Any = options["connection_class"]

        class Watched(kind):  # type: ignore[misc]
            def disconnect(self, *args: Any, **kwargs: Any) -> None:
                # A forked process shares the epoll of its parent, so it must leave it alone.
                if self._sock is not None and self.pid == os.getpid():
                    channel.connection.cycle.unwatch(self._sock)
                super().disconnect(*args, **kwargs)

        return {**options, "connection_class": Watched}

    def _link_arguments(self) -> tuple[type[Any], dict[str, Any]]:
        options = self._connparams()
        kind = options.pop("connection_class")
        for name in ("max_connections", "health_check_interval"):
            options.pop(name, None)
        # Noticed soon enough to be back before the lease is over.
        longest = self.lease / 5
        options["socket_timeout"] = min(options.get("socket_timeout") or longest, longest)
        return kind, options

    def _hand_over(self, message: dict[str, Any], queue: str) -> bool:
        callback = self.connection._callbacks.get(queue)
        if callback is None:
            return False
        callback(message)
        return True

    def _receive_one(self, c: Any) -> Any:
        try:
            return super()._receive_one(c)
        except (RedisError, OSError):
            raise
        except Exception:  # anybody may publish: junk on the channel of remote control must not end the worker
            log.exception("a broadcast could not be taken")
            return None

    def _put_fanout(self, exchange: str, message: Any, routing_key: str, **options: Any) -> None:
        if options.get("_publish_batch") is not None:
            super()._put_fanout(exchange, message, routing_key, **options)
            return
        topics, text = self._get_publish_topics(exchange, routing_key), dumps(message)
        with self.conn_or_acquire() as client:
            self.heard = sum(client.publish(topic, text) for topic in topics)

    def _pump(self) -> bool:
        assert self.feeder is not None  # noqa: S101
        return self.feeder.pump()

    def close(self) -> None:
        """Close; running tasks go on and are acknowledged by the process's next channel."""
        feeder, self.feeder = self.feeder, None
        if feeder is not None:
            for thing in (feeder.wake_up, feeder.kicked):
                self.connection.cycle.unwatch(thing)
            feeder.close()
            assert self.holder is not None  # noqa: S101
            registry.free(self.holder)
        try:
            super().close()
        except self.connection_errors:
            # kombu 5.7.0 reads the reply of an open BRPOP when it closes, and raises on a dead connection.
            self._in_poll = None
            super().close()

    def _disconnect_pools(self) -> None:
        self._plain = None
        super()._disconnect_pools()

    @contextmanager
    def conn_or_acquire(self, client: Any = None) -> Iterator[Any]:
        """One client for all commands of the channel; kombu makes a new one for each."""
        if client is None:
            if self._plain is None:
                self._plain = self._create_client()
            client = self._plain
        yield client
