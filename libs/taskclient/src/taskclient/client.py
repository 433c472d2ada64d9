"""The client: sends any task by name and payload, and follows it by its id."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypedDict

from taskclient.batch import build_batch, push_batch
from taskclient.calls import build_call
from taskclient.canvas import Stage
from taskclient.canvas_handle import WorkflowHandle
from taskclient.canvas_sender import SendsCanvas, prepare, push_all
from taskclient.catalog import read_entry
from taskclient.connection import broker_errors, connect
from taskclient.contracts import Known, known_contracts
from taskclient.errors import TaskClientError
from taskclient.handle import TaskHandle
from taskclient.message import Template
from taskclient.names import queue_of
from taskclient.operations import Operations
from taskclient.producer import MAX_MEMORY, MOST_AT_ONCE, Limits, Producer, max_backlog_from_environment
from taskclient.results import ResultStore, TaskRecord
from taskclient.schedule import end_time, start_time
from taskclient.schedules import scheduled_call
from taskclient.urls import default_result_url, is_amqp, redis_of
from taskclient.workflow import WorkflowRun

if TYPE_CHECKING:
    from taskclient.amqp import Publisher


class SendOptions(TypedDict, total=False):
    """The options of `TaskClient.send_payload`, all of which may be left out."""

    eta: datetime | None
    countdown: float | None
    expires: float | datetime | None
    correlation_id: str | None
    idempotency_key: str | None
    task_id: str | None
    queue: str | None


class TaskClient(SendsCanvas, Operations):
    """Sends tasks to Celery workers on Redis or RabbitMQ; knows neither Celery nor any service.

    One client per process is enough; threads may share it. It connects on first use.

        with TaskClient("redis://localhost:6379/0") as client:
            task = client.send("app.tasks.email.send_email", to="ada@example.com", subject="Hello", body="...")
            receipt = task.result(timeout=30)

    Args:
        broker_url: the workers' broker, as in `redis://:password@host:6379/0`; or RabbitMQ, as in
            `amqp://user:password@host:5672//`, which needs the extra `taskclient[amqp]`.
        result_url: the workers' result backend; by default the Redis database after that of `redis_url`.
        redis_url: where the workers keep the catalog and the dead letters. With Redis as broker it is the broker; with
            RabbitMQ by default what TASK_REDIS_URL names.
        max_backlog: most messages that may wait in a queue before `send` refuses more; 0 means any number. By default
            TASK_MAX_BACKLOG, or 1,000,000.
        max_memory: how much of Redis' `maxmemory` may be in use before `send` refuses, as a share of 1; 0 means all.
        contracts: files `contract.json`, or folders with them, to check names and payloads against instead of the
            catalog. By default what TASK_CONTRACTS names, with the system's path separator between, else the catalog.
        check: whether names and payloads are checked before they are sent.

    Raises:
        ValueError: a URL is not a Redis URL, a limit is none, or there is no contract where `contracts` says.
    """

    def __init__(
        self,
        broker_url: str,
        result_url: str | None = None,
        *,
        redis_url: str | None = None,
        max_backlog: int | None = None,
        max_memory: float = MAX_MEMORY,
        contracts: Sequence[Path] | None = None,
        check: bool = True,
    ) -> None:
        self._url = redis_of(broker_url, redis_url)
        self._broker = connect(self._url)
        max_backlog = max_backlog_from_environment() if max_backlog is None else max_backlog
        producer = Producer(self._broker, Limits(max_backlog, max_memory))
        self._publisher = _publisher(broker_url) if is_amqp(broker_url) else None
        self._push = self._publisher.push if self._publisher else producer.push
        self._at_once = 1 if self._publisher else MOST_AT_ONCE  # RabbitMQ confirms each message
        self._results = ResultStore(result_url or default_result_url(self._url))
        self._contracts = known_contracts(self._broker, contracts) if check else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections; handles of this client can no longer be asked."""
        if self._publisher:
            self._publisher.close()
        self._broker.close()
        self._results.close()

    def send(
        self,
        name: str,
        /,
        *,
        eta: datetime | None = None,
        countdown: float | None = None,
        expires: float | datetime | None = None,
        correlation_id: str | None = None,
        idempotency_key: str | None = None,
        task_id: str | None = None,
        queue: str | None = None,
        **payload: Any,
    ) -> TaskHandle:
        """Send a task whose payload is written as keyword arguments.

        The options' names are taken: `send_payload` sends a payload with a field named `eta` or `queue`, say.
        Arguments, result and errors are those of `send_payload`.
        """
        return self.send_payload(
            name,
            payload,
            eta=eta,
            countdown=countdown,
            expires=expires,
            correlation_id=correlation_id,
            idempotency_key=idempotency_key,
            task_id=task_id,
            queue=queue,
        )

    def send_payload(
        self,
        name: str,
        payload: Mapping[str, Any],
        *,
        eta: datetime | None = None,
        countdown: float | None = None,
        expires: float | datetime | None = None,
        correlation_id: str | None = None,
        idempotency_key: str | None = None,
        task_id: str | None = None,
        queue: str | None = None,
    ) -> TaskHandle:
        """Send a task, after a look into the catalog whether there is such a task and the payload fits it.

        As long as the catalog is empty, because no worker has ever come up, or cannot be read, all is sent. A worker
        checks for itself, and keeps what it cannot run as a dead letter.

        Args:
            name: the task's name, as in `app.tasks.email.send_email`.
            payload: the task's arguments by name, at most 256 KiB as JSON.
            eta: earliest start, with a time zone.
            countdown: earliest start, in seconds from now, instead of `eta`.
            expires: seconds from now, or a time with a time zone, after which the task is revoked instead of run.
            correlation_id: what ties the task to a request in the logs; the task's id by default.
            idempotency_key: of all calls of this task with the same key, 1 to 255 characters, one runs; the others get
                its result, for a day unless the task says otherwise. A key whose call failed for good is free again.
            task_id: the task's id; a new UUID by default.
            queue: another queue than the one that follows from the name.

        Returns:
            A handle on the task.

        Raises:
            InvalidTaskName: the name has not the form `app.tasks.<module>.<task>`.
            UnknownTask: no service has a task of this name.
            PayloadRefused: the payload does not fit the task's contract; says every wrong field.
            PayloadNotSerializable: a value has no JSON form.
            PayloadTooLarge: the payload is too large.
            ValueError: a time without a time zone, a negative number of seconds, `eta` and `countdown` together, an
                idempotency key that is empty or too long.
            QueueFull: as many messages as the limit allows wait in the queue already.
            BrokerFull: Redis' memory is too full.
            BrokerUnavailable: Redis could not be reached, or refused.
        """
        call = build_call(
            self._known(name),
            name,
            payload,
            eta=eta,
            countdown=countdown,
            expires=expires,
            correlation_id=correlation_id,
            idempotency_key=idempotency_key,
            task_id=task_id,
            queue=queue,
        )
        with broker_errors(self._url, f"sending {name} as task {call.task_id}"):
            self._push(call.queue, call.message)
        return TaskHandle(call.task_id, self._results, name)

    def submit_and_wait(self, name: str, /, timeout: float | None, **payload: Any) -> Any:
        """Send a task as `send` does, and wait for what it returns.

        Args:
            name: the task's name.
            timeout: seconds; None waits for ever.
            **payload: as for `send`, with its options.

        Returns:
            What the task returned, as JSON values.

        Raises:
            TaskClientError: as for `send`, and for `TaskHandle.result`: after a `TaskTimeout` the task goes on.
        """
        return self.send(name, **payload).result(timeout)

    def send_many(
        self,
        name: str,
        payloads: Iterable[Mapping[str, Any]],
        *,
        eta: datetime | None = None,
        countdown: float | None = None,
        expires: float | datetime | None = None,
        correlation_id: str | None = None,
        task_ids: Sequence[str] | None = None,
        idempotency_keys: Sequence[str] | None = None,
        queue: str | None = None,
    ) -> list[TaskHandle]:
        """Send many tasks of one name, some hundreds in each round trip.

        All payloads are looked at before the first one is sent, so a bad one means that nothing is sent.

        Args:
            name: the task's name, as in `app.tasks.email.send_email`.
            payloads: the arguments by name, one object for each task.
            eta: earliest start of all, with a time zone.
            countdown: earliest start of all, in seconds from now, instead of `eta`.
            expires: seconds from now, or a time with a time zone, after which they are revoked instead of run.
            correlation_id: what ties them to a request in the logs; each task's own id by default.
            task_ids: as many as payloads; new UUIDs by default.
            idempotency_keys: as many as payloads, each as for `send_payload`; none by default.
            queue: another queue than the one that follows from the name.

        Returns:
            A handle on each task, in the order of the payloads.

        Raises:
            InvalidTaskName: the name has not the form `app.tasks.<module>.<task>`.
            UnknownTask: no service has a task of this name.
            BatchRefused: payloads that do not fit the task, have no JSON form or are too large, with their positions
                and every wrong field; nothing was sent.
            BatchInterrupted: a queue got full, or Redis away, after some were sent; says which.
            ValueError: a wrong time or key, or another number of ids or keys than of payloads.
        """
        starts, ends = start_time(eta, countdown), end_time(expires)
        known = self._known(name)
        queue = queue or known.queue
        template = Template(name, queue, starts, ends, known.check)
        messages = build_batch(template, payloads, task_ids, correlation_id, idempotency_keys)
        push_batch(lambda *some: self._send_some(name, queue, some), messages, self._at_once)
        return [TaskHandle(task_id, self._results, name) for task_id in messages]

    def _send_some(self, name: str, queue: str, messages: Sequence[bytes]) -> None:
        with broker_errors(self._url, f"sending {len(messages)} tasks {name}"):
            self._push(queue, *messages)

    def _send_canvas(
        self, stages: Sequence[Stage], correlation_id: str | None, run_id: str | None, *, check_joints: bool
    ) -> WorkflowHandle:
        canvas, messages = prepare(
            stages, self._known, correlation_id=correlation_id, run_id=run_id, check_joints=check_joints
        )
        self._results.expect_chords(messages.chords)
        push_all(lambda queue, *some: self._send_some(canvas.run_id, queue, some), messages, self._at_once)
        return WorkflowHandle(canvas, self._results)

    def _known(self, name: str) -> Known:
        return self._contracts.known(name) if self._contracts else Known(queue_of(name))

    def handle(self, task_id: str) -> TaskHandle:
        """A handle on a task that was sent earlier, here or elsewhere; nothing is asked yet."""
        return TaskHandle(task_id, self._results)

    def run_schedule(self, name: str) -> TaskHandle:
        """Send a schedule's task now, with the arguments, the queue and the expiry that beat sends it with.

        When beat sends it next does not change. A paused schedule is run as well.

        Args:
            name: as `schedules` has it, as in `maintenance:nightly`.

        Raises:
            UnknownSchedule: there is no such entry.
            ValueError: it has arguments by position that the catalog does not name.
            UnknownTask, PayloadRefused, BrokerUnavailable, ...: as for `send_payload`.
        """
        with broker_errors(self._url, f"reading the schedule {name}"):
            call = scheduled_call(self._broker, name)
            payload = call.payload(read_entry(self._broker, call.task))
        expires, queue = call.options.get("expires"), call.options.get("queue")
        seconds = expires if isinstance(expires, (int, float)) else None
        return self.send_payload(call.task, payload, expires=seconds, queue=queue)

    def records(self, run: WorkflowRun) -> dict[str, TaskRecord]:
        """What is stored about the steps of a workflow's run, by the ids of their tasks.

        Raises:
            BrokerUnavailable: Redis could not be asked.
        """
        return self._results.get_many(run.task_ids)


def _publisher(url: str) -> "Publisher":
    try:
        from taskclient.amqp import Publisher  # noqa: PLC0415  - few callers need RabbitMQ, and its library
    except ImportError as error:
        raise TaskClientError("sending to RabbitMQ needs its library: install taskclient[amqp]") from error
    return Publisher(url)
