"""The worker's consumer on RabbitMQ: looks at each message before Celery does."""

from collections.abc import Callable
from typing import Any, ClassVar

import structlog
from amqp import PreconditionFailed
from celery.worker.consumer import Consumer as CeleryConsumer

from taskclient.amqp import declare_delays, declare_queue
from taskclient.amqp_message import DELIVERIES_BEFORE, to_raw
from taskclient.letters import DELIVERY_LIMIT, UNREADABLE
from workerkit import amqp, amqp_verdicts
from workerkit.amqp_dead import DeadMessages
from workerkit.amqp_redelivery import Redelivery, mark
from workerkit.consumer import Consumer as WorkerConsumer
from workerkit.prefork.handover import await_confirmations
from workerkit.transport import guard

log = structlog.get_logger("worker")
_EARLY_SECONDS = 1.0  # a start that is nearer is waited for here
_MOST_DIGITS = 3
_CeleryConsumer: Any = CeleryConsumer
_CeleryBlueprint: Any = _CeleryConsumer.Blueprint
_CONDEMNED = "it was delivered too often: whoever ran it died each time"


class OtherQueue(RuntimeError):
    """RabbitMQ has a queue of the wanted name with other arguments, which it does not change."""


class Consumer(WorkerConsumer):
    """Refuses what cannot run, sends back what is too early, and runs nothing again that runs or has run here."""

    class Blueprint(_CeleryBlueprint):  # type: ignore[misc]  # the stubs say it is a value
        """Celery's steps without the one that binds queues for delayed delivery.

        It binds a queue to everything that ends with its name: a queue `b` would get the later messages of `a.b`.
        """

        default_steps: ClassVar[list[str]] = [
            step for step in _CeleryBlueprint.default_steps if "delayed_delivery" not in step
        ]

    def __init__(self, *args: Any, **options: Any) -> None:
        self._redelivery = Redelivery()
        super().__init__(*args, **options)
        conf = self.app.conf
        self._limit = int(conf.broker_transport_options["delivery_limit"])
        self._dead = DeadMessages(self.app)

    def start(self) -> None:
        """Run until the worker ends."""
        self._dead.start()
        super().start()

    def shutdown(self) -> None:
        """End."""
        self._dead.stop()
        super().shutdown()

    def connect(self) -> Any:
        """Connect, and declare what this service's queues need; what exists stays as it is.

        Raises:
            OtherQueue: a queue exists with other arguments.
        """
        connection = super().connect()
        for name in self.app.amqp.queues.consume_from:
            _declare(connection, name)
        declare_delays(connection)
        return connection

    def on_close(self) -> None:
        """The connection is lost."""
        self._redelivery.connection_lost()
        await_confirmations(self.pool)
        super().on_close()

    def create_task_handler(self, *args: Any, **options: Any) -> Callable[[Any], None]:
        """What the loop calls with each message."""
        handle = super().create_task_handler(*args, **options)

        def on_message(message: Any) -> None:
            queue = amqp.queue_of(message, self.app.amqp.queues.consume_from)
            raw, deliveries = to_raw(message, queue), _deliveries(message)
            before = _before(message)
            if not self._decided(message, raw, deliveries, before):
                mark(message, raw)
                self._redelivery.watch(message, raw)
                _note(message, deliveries + before)
                handle(message)

        return on_message

    def _decided(self, message: Any, raw: bytes, deliveries: int, before: int) -> bool:
        """Whether a verdict keeps the message from being run."""
        try:
            checked = guard.read(raw)
        except guard.Unreadable as error:
            amqp_verdicts.bury(message, UNREADABLE, str(error))
            return True
        message.headers = checked["headers"]  # without what AMQP can say and JSON cannot
        if deliveries and self._redelivery.settled(message, raw, str(message.headers.get("id"))):
            return True
        if deliveries + before >= self._limit:
            amqp_verdicts.bury(message, DELIVERY_LIMIT, _CONDEMNED)
            return True
        return self._too_early(message, checked)

    def _too_early(self, message: Any, checked: dict[str, Any]) -> bool:
        start = guard.start_time(checked)
        if start is None or start < self.app.now().timestamp() + _EARLY_SECONDS:
            return False
        amqp_verdicts.delay(message, start)
        return True


def _deliveries(message: Any) -> int:
    """How often it was delivered before, by RabbitMQ's count; on a first delivery the header is somebody else's."""
    count = (message.headers or {}).get("x-delivery-count")
    return count if message.delivery_info.get("redelivered") and isinstance(count, int) else 0


def _before(message: Any) -> int:
    """How often the message was delivered that this one goes on from."""
    headers = message.headers or {}
    retries, _, count = str(headers.get(DELIVERIES_BEFORE, "")).partition(":")
    wanted = retries == str(headers.get("retries") or 0)  # a retry is a new attempt, nobody has died of it yet
    return int(count) if wanted and count.isdecimal() and len(count) <= _MOST_DIGITS else 0


def _note(message: Any, deliveries: int) -> None:
    """Note on a message what Celery and the task are to know of its deliveries."""
    # RabbitMQ also says it of a message whose worker has lost its connection, and runs it on: whether somebody runs it
    # is to be seen from its idempotency key only. Who waits for that is sent anew, hence the header.
    message.delivery_info["redelivered"] = False
    if deliveries:
        message.headers[DELIVERIES_BEFORE] = f"{message.headers.get('retries') or 0}:{deliveries}"


def _declare(connection: Any, name: str) -> None:
    try:
        with connection.channel() as channel:
            declare_queue(channel, name)
    except PreconditionFailed as error:
        raise OtherQueue(
            f"RabbitMQ has a queue {name!r} that was declared in another way, perhaps by a program that sent to it "
            f"before this worker ran: {error.reply_text}. Let it run empty, delete it by "
            f"`rabbitmqctl delete_queue {name}` and start again; the worker makes it as it must be."
        ) from error
