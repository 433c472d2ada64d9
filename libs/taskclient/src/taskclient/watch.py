"""What a watcher sees of a task: each change of its status, its progress in between, its end."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from taskclient.outcome import reason_of
from taskclient.results import TaskRecord


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a task is, as it says itself.

    Args:
        current: how much is done.
        total: how much there is to do.
        message: what is being done, in a few words.
    """

    current: float
    total: float
    message: str = ""

    @property
    def fraction(self) -> float:
        """The share that is done, from 0 to 1."""
        return min(1.0, max(0.0, self.current / self.total)) if self.total > 0 else 1.0


@dataclass(frozen=True, slots=True)
class TaskEvent:
    """The state of a task at one moment.

    Args:
        id: the task's id.
        status: Celery's word, as in `PENDING`, `PROGRESS`, `SUCCESS`.
        progress: how far it is; None as long as it does not say, and at its end.
        result: what it returned, once its status is SUCCESS.
        error: in one line why it failed or was revoked; None if it did not.
        finished: whether this is the last event.
    """

    id: str
    status: str
    progress: Progress | None = None
    result: Any = None
    error: str | None = None
    finished: bool = False


def event_of(record: TaskRecord) -> TaskEvent:
    """What is stored about a task, as an event."""
    return TaskEvent(
        id=record.task_id,
        status=record.status,
        progress=_progress(record),
        result=record.result if record.status == "SUCCESS" else None,
        error=reason_of(record) if record.failed else None,
        finished=record.finished,
    )


def events(records: Iterable[TaskRecord]) -> Iterator[TaskEvent]:
    """The events of what is stored about a task, each different from the one before it."""
    last = None
    for record in records:
        event = event_of(record)
        if event != last:
            yield (last := event)


def _progress(record: TaskRecord) -> Progress | None:
    match record.result:
        case {"current": int() | float() as current, "total": int() | float() as total} if record.status == "PROGRESS":
            return Progress(current, total, str(record.result.get("message") or ""))
    return None
