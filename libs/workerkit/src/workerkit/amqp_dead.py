"""Makes dead letters of what RabbitMQ has moved out of a service's queues, and offers parked messages again.

A thread of the worker's main process, with a connection of its own: while Redis is away the messages stay in RabbitMQ.
"""

import threading
from typing import Any

import structlog
from celery import states
from celery.exceptions import TaskRevokedError
from kombu import Connection, Consumer
from redis.exceptions import RedisError

from taskclient.amqp import ERRORS, TRANSPORT_OPTIONS, dead_queue
from taskclient.amqp_message import to_raw
from taskclient.errors import BrokerUnavailable
from taskclient.letters import DELIVERY_LIMIT, FAILED, SERVICES_KEY, UNKNOWN_TASK, UNREADABLE
from taskclient.parked import expire_parked, offer
from workerkit import amqp_verdicts, failures
from workerkit.broker import broker_client
from workerkit.transport import guard
from workerkit.transport.holder import Options
from workerkit.transport.keys import prefix

log = structlog.get_logger("worker")
_AT_ONCE = 20  # messages
_OFFER_SECONDS = 5.0
_PAUSE_SECONDS = 3.0
_OFFER_LOCK_SECONDS = 60
_HEARTBEAT_SECONDS = 10


class DeadMessages:
    """The thread.

    Args:
        app: the worker's application.
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dead-messages", daemon=True)

    def start(self) -> None:
        """Begin; again is nothing."""
        if not self._thread.is_alive() and not self._ended.is_set():
            self._thread.start()

    def stop(self) -> None:
        """End; what is not written yet stays in RabbitMQ."""
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self._work()
            except (*ERRORS, RedisError, BrokerUnavailable) as error:
                log.info("dead messages wait in RabbitMQ", error=str(error))
            except Exception:  # one that nobody thought of must not end it for good
                log.exception("dead messages wait in RabbitMQ")
            self._ended.wait(_PAUSE_SECONDS)

    def _work(self) -> None:
        with Connection(
            self._app.conf.broker_url, heartbeat=_HEARTBEAT_SECONDS, transport_options=dict(TRANSPORT_OPTIONS)
        ) as connection:
            channel: Any = connection.channel()
            channel.basic_qos(0, _AT_ONCE, False)
            queues = [dead_queue(name) for name in self._app.amqp.queues.consume_from]
            with Consumer(channel, queues, on_message=self._bury):
                while not self._ended.is_set():
                    self._look_after_parked()
                    self._drain(connection, _OFFER_SECONDS)

    def _drain(self, connection: Any, seconds: float) -> None:
        for _ in range(int(seconds)):
            try:
                connection.drain_events(timeout=1)
            except TimeoutError:
                connection.heartbeat_check()
            if self._ended.is_set():
                return

    def _bury(self, message: Any) -> None:
        death = _death(message)
        queue = str(death.get("queue") or message.delivery_info["routing_key"].removesuffix(".dead"))
        raw = to_raw(message, queue)
        if death.get("reason") == "expired":
            self._revoke(message.headers.get("id"))
        else:
            self._keep(raw, queue, *_reason(raw, str(death.get("reason"))))
        message.ack()

    def _keep(self, raw: bytes, queue: str, reason: str, error: str, task: str | None) -> None:
        if task is not None and task not in self._app.tasks:
            amqp_verdicts.write_parked(raw, queue, task)
            return
        amqp_verdicts.write_letter(raw, queue, reason, error)
        failures.report(self._app, raw, error)

    def _revoke(self, task_id: Any) -> None:
        """RabbitMQ has dropped it from its queue because its time was over; its caller reads what Celery would say."""
        if isinstance(task_id, str):
            self._app.backend.store_result(task_id, TaskRevokedError("expired"), states.REVOKED)

    def _look_after_parked(self) -> None:
        """Put parked messages of tasks that this worker knows back into their queues; bury those that nobody knew.

        One worker at a time, and each message leaves Redis after RabbitMQ has confirmed it, or after its letter.
        """
        service = str(self._app.main)
        parked = f"{prefix(service)}:parked"
        client: Any = broker_client()
        client.sadd(SERVICES_KEY, service)
        names = [name.decode() for name in client.smembers(parked)]
        for name in names:
            lock = client.lock(f"{parked}:{name}:offering", timeout=_OFFER_LOCK_SECONDS)
            if lock.acquire(blocking=False):
                if name in self._app.tasks:
                    offer(client, service, name, amqp_verdicts.publisher().push)
                else:
                    self._expire(client, service, name)
                lock.release()

    def _expire(self, client: Any, service: str, name: str) -> None:
        days = Options(service).letter_days
        error = f"no worker knew its task's name for {days:g} days"

        def bury(queue: str, raw: bytes) -> None:
            amqp_verdicts.write_letter(raw, queue, UNKNOWN_TASK, error)
            failures.report(self._app, raw, error)

        expire_parked(client, service, name, client.time()[0] - days * 86_400, bury)


def _death(message: Any) -> dict[str, Any]:
    """The newest entry of what RabbitMQ notes about a message that it moves."""
    deaths = (message.headers or {}).get("x-death")
    newest = deaths[0] if isinstance(deaths, list) and deaths else None
    return newest if isinstance(newest, dict) else {}


def _reason(raw: bytes, why: str) -> tuple[str, str, str | None]:
    """The letter's reason and error, and the name of the task."""
    try:
        task = guard.read(raw)["headers"].get("task")
    except guard.Unreadable as error:
        return UNREADABLE, str(error), None
    if why == "delivery_limit":
        return DELIVERY_LIMIT, "RabbitMQ delivered it too often: no worker kept it", task
    return FAILED, "its worker rejected it; what the worker knew is in its log", task
