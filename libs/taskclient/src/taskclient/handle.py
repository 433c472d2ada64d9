"""A handle on one task that was sent: its status, its end, its result."""

from collections.abc import Iterator
from typing import Any, Generic, Self

from typing_extensions import TypeVar

from taskclient.outcome import value_of
from taskclient.results import ResultStore, TaskRecord
from taskclient.watch import TaskEvent, events

ResultT = TypeVar("ResultT", default=Any)


class TaskHandle(Generic[ResultT]):
    """One task, known by its id; it holds no connection and can be made anew from the id at any time.

    Its result has a type where the call had one, as in a module that `tasks stubs` writes.

    Args:
        task_id: the task's id.
        results: where its result will be stored.
        name: the task's name, if known.
    """

    def __init__(self, task_id: str, results: ResultStore, name: str | None = None) -> None:
        self.id = task_id
        self.name = name
        self._results = results

    def __repr__(self) -> str:
        return f"TaskHandle(id={self.id!r}, name={self.name!r})"

    def status(self) -> str:
        """Celery's word for the state: PENDING, STARTED, RETRY, SUCCESS, FAILURE or REVOKED.

        PENDING is also the answer for an id that nobody ever sent, and for a result that has expired.

        Raises:
            BrokerUnavailable: Redis could not be asked.
        """
        return self._results.get(self.id).status

    def record(self) -> TaskRecord:
        """What is stored about the task now: its status with its progress, its result or its failure.

        Raises:
            BrokerUnavailable: Redis could not be asked.
        """
        return self._results.get(self.id)

    def updates(self, timeout: float | None) -> Iterator[str]:
        """The status now and then every change, until the task has finished or `timeout` seconds are over.

        Raises:
            BrokerUnavailable: Redis could not be asked.
        """
        return (record.status for record in self._results.updates(self.id, timeout))

    def watch(self, timeout: float | None) -> Iterator[TaskEvent]:
        """The state now, and then each change with its progress, until the task has finished or the time is over.

        The latest state is always seen, also after a lost connection; states that came and went meanwhile are not. A
        task whose results are ignored shows nothing.

        Args:
            timeout: seconds; None means for ever.

        Raises:
            BrokerUnavailable: Redis could not be asked, at first or at the end; it may be away in between.
        """
        return events(self._results.updates(self.id, timeout))

    def wait(self, timeout: float | None) -> Self:
        """Wait until the task has finished, well or badly; `result()` then says which.

        Args:
            timeout: seconds; None waits for ever.

        Raises:
            TaskTimeout: the wait ended first; the task may still run.
            BrokerUnavailable: Redis could not be asked.
        """
        self._results.wait(self.id, timeout)
        return self

    def result(self, timeout: float | None = 0) -> ResultT:
        """What the task returned, as JSON values.

        Args:
            timeout: seconds to wait for it; 0 only looks, None waits for ever.

        Raises:
            TaskRejected: the worker refused the payload; `errors` names the fields.
            TaskRevoked: the task expired or was revoked.
            TaskFailed: the task raised; `error_type` and `message` say what.
            TaskTimeout: there is no result yet.
            BrokerUnavailable: Redis could not be asked.
        """
        value: ResultT = value_of(self._results.wait(self.id, timeout))
        return value
