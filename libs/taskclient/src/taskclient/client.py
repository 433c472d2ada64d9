"""The client: sends any task by name and payload, and follows it by its id."""

from collections.abc import Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from taskclient.catalog import CatalogEntry, read_catalog
from taskclient.connection import broker_errors, connect, push_once
from taskclient.handle import TaskHandle
from taskclient.message import build_message
from taskclient.names import queue_of
from taskclient.results import ResultStore, TaskRecord
from taskclient.schedule import end_time, start_time
from taskclient.urls import default_result_url
from taskclient.workflow import WorkflowRun


class TaskClient:
    """Sends tasks to Celery workers on Redis; knows neither Celery nor any service.

    One client per process is enough; threads may share it. It connects on first use.

        with TaskClient("redis://localhost:6379/0") as client:
            task = client.send("app.tasks.email.send_email", to="ada@example.com", subject="Hello", body="...")
            receipt = task.result(timeout=30)

    Args:
        broker_url: the workers' broker, as in `redis://:password@host:6379/0`.
        result_url: the workers' result backend; by default the database after the broker's, on the same server.

    Raises:
        ValueError: a URL is not a Redis URL.
    """

    def __init__(self, broker_url: str, result_url: str | None = None) -> None:
        self._url = broker_url
        self._broker = connect(broker_url)
        self._results = ResultStore(result_url or default_result_url(broker_url))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections; handles of this client can no longer be asked."""
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
        task_id: str | None = None,
        queue: str | None = None,
    ) -> TaskHandle:
        """Send a task.

        Args:
            name: the task's name, as in `app.tasks.email.send_email`.
            payload: the task's arguments by name, at most 256 KiB as JSON.
            eta: earliest start, with a time zone.
            countdown: earliest start, in seconds from now, instead of `eta`.
            expires: seconds from now, or a time with a time zone, after which the task is revoked instead of run.
            correlation_id: what ties the task to a request in the logs; the task's id by default.
            task_id: the task's id; a new UUID by default.
            queue: another queue than the one that follows from the name.

        Returns:
            A handle on the task.

        Raises:
            InvalidTaskName: the name has not the form `app.tasks.<module>.<task>`.
            PayloadNotSerializable: a value has no JSON form.
            PayloadTooLarge: the payload is too large.
            ValueError: a time without a time zone, a negative number of seconds, `eta` and `countdown` together.
            BrokerUnavailable: Redis could not be reached, or refused.
        """
        own_queue = queue_of(name)
        queue = queue or own_queue
        task_id = task_id or str(uuid4())
        message = build_message(
            name,
            payload,
            queue=queue,
            task_id=task_id,
            correlation_id=correlation_id,
            eta=start_time(eta, countdown),
            expires=end_time(expires),
        )
        with broker_errors(self._url, f"sending {name} as task {task_id}"):
            push_once(self._broker, queue, message)
        return TaskHandle(task_id, self._results, name)

    def handle(self, task_id: str) -> TaskHandle:
        """A handle on a task that was sent earlier, here or elsewhere; nothing is asked yet."""
        return TaskHandle(task_id, self._results)

    def records(self, run: WorkflowRun) -> dict[str, TaskRecord]:
        """What is stored about the steps of a workflow's run, by the ids of their tasks.

        Raises:
            BrokerUnavailable: Redis could not be asked.
        """
        return self._results.get_many(run.task_ids)

    def catalog(self) -> list[CatalogEntry]:
        """All tasks that workers have published, sorted by name.

        Raises:
            BrokerUnavailable: Redis could not be reached, or refused.
        """
        with broker_errors(self._url, "reading the catalog"):
            return read_catalog(self._broker)
