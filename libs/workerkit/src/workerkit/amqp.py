"""RabbitMQ as the broker: the settings and the few parts of Celery that differ from those on Redis."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from celery import Celery
from celery.app import amqp as celery_amqp
from kombu import Queue

from taskclient.amqp import MOST_DELIVERIES, TASKS, TRANSPORT_OPTIONS, task_queue
from taskclient.urls import is_amqp

_HEARTBEAT_SECONDS = 10  # a worker whose machine is gone is noticed after two of them


def settings(queues: Sequence[str], *, service: str, delivery_limit: int, version: str) -> dict[str, Any]:
    """What follows from RabbitMQ being the broker.

    Args:
        queues: the names of the service's queues.
        service: its name, for RabbitMQ's list of connections.
        delivery_limit: deliveries after which a message is a dead letter.
        version: of the service, for dead letters.

    Raises:
        ValueError: the delivery limit is above what the queues allow.
    """
    if delivery_limit > MOST_DELIVERIES:
        raise ValueError(f"TASK_DELIVERY_LIMIT is {delivery_limit}; with RabbitMQ it can be {MOST_DELIVERIES} at most")
    return {
        "broker_transport": None,
        "broker_heartbeat": _HEARTBEAT_SECONDS,
        "worker_consumer": "workerkit.amqp_consumer:Consumer",
        "task_queues": [task_queue(name) for name in queues],
        "task_default_exchange": TASKS.name,
        "task_default_exchange_type": TASKS.type,
        "task_default_queue_type": "quorum",
        # With Celery's exclusive queue of remote control, a worker that comes back under its name would be locked out
        # by its own dead connection. One of the two must be, RabbitMQ gives up the other kind of queue.
        "control_queue_exclusive": False,
        "control_queue_durable": True,
        "broker_transport_options": {
            **TRANSPORT_OPTIONS,
            "client_properties": {"connection_name": service},
            "delivery_limit": delivery_limit,  # for the consumer; py-amqp ignores what it does not know
            "version": version,
        },
    }


class Queues(celery_amqp.Queues):
    """Knows how the queues of other services are declared."""

    def new_missing(self, name: str) -> Queue:
        """A queue that is sent to and not consumed here."""
        return task_queue(name)


class AMQP(celery_amqp.AMQP):
    """Names `Queues`; the application's `amqp_cls`."""

    queues_cls = Queues


class App(Celery):
    """Celery on RabbitMQ.

    RabbitMQ's delays are whole seconds, and kombu cuts: below one second it raises, above it the message comes early
    and would wait in a worker. So delays are rounded up.
    """

    amqp_cls = "workerkit.amqp:AMQP"

    def send_task(  # type: ignore[override]  # the rest of its long signature is passed on
        self,
        name: str,
        args: Any = None,
        kwargs: Any = None,
        countdown: float | None = None,
        eta: datetime | str | None = None,
        **options: Any,
    ) -> Any:
        """Send a task as Celery does, no earlier than it is due and up to a second later."""
        seconds = countdown if eta is None else _until(eta)
        countdown = math.ceil(seconds) if seconds and seconds > 0 else None
        return super().send_task(name, args, kwargs, countdown, None, **options)


def application(broker: str) -> type[Celery]:
    """The class of the application for a broker's URL."""
    return App if is_amqp(broker) else Celery


def _until(eta: datetime | str) -> float:
    moment = datetime.fromisoformat(eta) if isinstance(eta, str) else eta
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)  # the applications' time zone is UTC
    return (moment - datetime.now(UTC)).total_seconds()


def queue_of(message: Any, queues: Mapping[str, Any]) -> str:
    """The queue that a message was delivered from.

    AMQP does not say. The routing key ends with the queue's name, unless somebody has made bindings of his own.
    """
    key = str(message.delivery_info.get("routing_key") or "")
    found = [name for name in queues if key == name or key.endswith(f".{name}")]
    return max(found, key=len) if found else (next(iter(queues)) if len(queues) == 1 else key)
