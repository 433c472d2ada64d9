"""Everything that can go wrong between a caller and a task, each with what to do about it."""

from typing_extensions import TypedDict


class TaskClientError(Exception):
    """The base of all errors of this library."""


class InvalidTaskName(TaskClientError, ValueError):
    """The name has not the form `app.tasks.<module>.<task>`; nothing was sent."""


class FieldError(TypedDict):
    """One wrong field of a payload: its dotted path and what is wrong with it, without the value itself."""

    field: str
    problem: str


def wrong_fields(errors: list[FieldError]) -> str:
    """All wrong fields in one line."""
    return "; ".join(f"{wrong['field']}: {wrong['problem']}" for wrong in errors)


class UnknownTask(TaskClientError, ValueError):
    """No contract of that name is known; nothing was sent."""


class UnknownQueue(TaskClientError, ValueError):
    """No task of the catalog has a queue of that name; nothing was changed."""


class UnknownSchedule(TaskClientError, ValueError):
    """No service has published a schedule of that name; nothing was changed or sent."""


class PayloadRefused(TaskClientError):
    """The payload does not fit the task's contract; nothing was sent.

    Args:
        name: the task's name.
        errors: all wrong fields.
    """

    def __init__(self, name: str, errors: list[FieldError]) -> None:
        super().__init__(name, errors)
        self.name, self.errors = name, errors

    def __str__(self) -> str:
        return f"Nothing was sent: the payload does not fit {self.name}: {wrong_fields(self.errors)}"


class PayloadTooLarge(TaskClientError):
    """The payload is larger than a message may be; nothing was sent."""

    @property
    def errors(self) -> list[FieldError]:
        """As `PayloadRefused` has them; the field is the whole payload."""
        return [{"field": "payload", "problem": str(self)}]


class PayloadNotSerializable(TaskClientError):
    """A value in the payload has no JSON form; nothing was sent.

    Args:
        problem: what is wrong, in one sentence.
        field: which value it is, as a dotted path.
    """

    def __init__(self, problem: str, field: str = "payload") -> None:
        super().__init__(problem, field)
        self.problem, self.field = problem, field

    def __str__(self) -> str:
        return self.problem

    @property
    def errors(self) -> list[FieldError]:
        """As `PayloadRefused` has them."""
        return [{"field": self.field, "problem": "has no JSON form"}]


class BrokerUnavailable(TaskClientError):
    """Redis could not be reached, or refused the command; the message names the host and the next step."""


class QueueFull(BrokerUnavailable):
    """The queue's backlog is at its limit; nothing was sent. Send again later, when the workers have caught up."""


class BrokerFull(BrokerUnavailable):
    """Redis' memory is too full to take more; nothing was sent. Send again later, when there is room."""


_MOST_NAMED = 5  # positions in one message; the error itself has all


class BatchRefused(TaskClientError):
    """Some payloads of a batch cannot be sent; nothing was sent.

    Args:
        errors: all wrong fields of each of them, by its position in the batch, from 0.
    """

    def __init__(self, errors: dict[int, list[FieldError]]) -> None:
        super().__init__(errors)
        self.errors = errors

    @property
    def problems(self) -> dict[int, str]:
        """What is wrong with each of them in one line, by its position."""
        return {number: wrong_fields(errors) for number, errors in self.errors.items()}

    def __str__(self) -> str:
        named = [f"Number {number}: {problem}" for number, problem in list(self.problems.items())[:_MOST_NAMED]]
        more = len(self.errors) - len(named)
        rest = f" And {more} more." if more else ""
        return f"{len(self.errors)} payloads cannot be sent; nothing was sent. {' '.join(named)}{rest}"


class BatchInterrupted(BrokerUnavailable):
    """A batch was sent in part; its cause is the error that ended it.

    Args:
        problem: what the cause says.
        sent: ids of the tasks that are in the queue.
        unsent: ids of those that are not, or of which nobody knows; send them again under the same ids.
    """

    def __init__(self, problem: str, sent: list[str], unsent: list[str]) -> None:
        super().__init__(problem, sent, unsent)
        self.problem, self.sent, self.unsent = problem, sent, unsent

    def __str__(self) -> str:
        return f"{len(self.sent)} tasks were sent, {len(self.unsent)} were not or may not have been: {self.problem}"


class StepError(TypedDict):
    """What is wrong with a step of a chain, group or chord.

    `step` and `after` are the places and names of the step and of what comes before it; `after` is None if only the
    step itself is wrong. `field` is a dotted path in its payload, empty for the whole.
    """

    step: str
    after: str | None
    field: str
    problem: str


class WorkflowRefused(TaskClientError):
    """A chain, group or chord cannot run as it is; nothing was sent.

    Args:
        errors: everything that is wrong, step by step.
    """

    def __init__(self, errors: list[StepError]) -> None:
        super().__init__(errors)
        self.errors = errors

    def __str__(self) -> str:
        places: dict[str, list[str]] = {}
        for error in self.errors:
            place = f"{error['step']} after {error['after']}" if error["after"] else error["step"]
            field = f"{error['field']}: " if error["field"] else ""
            places.setdefault(place, []).append(f"{field}{error['problem']}")
        listed = "; ".join(f"{place}: {', '.join(problems)}" for place, problems in places.items())
        return f"Nothing was sent: {listed}"


class TaskTimeout(TaskClientError, TimeoutError):
    """The wait ended before the task did; the task may still run."""


class TaskFailed(TaskClientError):
    """The task ran and raised.

    Args:
        task_id: the id that `send` returned.
        error_type: the name of the exception's class in the worker, as in `ValueError`.
        message: what that exception said.
        traceback: the worker's traceback as text, if it was stored.
    """

    verb = "failed"

    def __init__(self, task_id: str, error_type: str, message: str, traceback: str | None = None) -> None:
        super().__init__(task_id, error_type, message, traceback)  # all of them, or it could not be pickled
        self.task_id = task_id
        self.error_type = error_type
        self.message = message
        self.traceback = traceback

    def __str__(self) -> str:
        return f"Task {self.task_id} {self.verb}: {self.error_type}: {self.message}"


class TaskRejected(TaskFailed):
    """The worker refused the payload before the task's own code ran; the same payload is refused again.

    Args:
        task_id: the id that `send` returned.
        error_type: the name of the exception's class in the worker.
        message: one sentence with the task's name and every problem.
        traceback: the worker's traceback as text, if it was stored.
        errors: all wrong fields, one `FieldError` each.
    """

    verb = "was rejected"

    def __init__(
        self, task_id: str, error_type: str, message: str, traceback: str | None, errors: list[FieldError]
    ) -> None:
        super().__init__(task_id, error_type, message, traceback)
        self.args = (*self.args, errors)
        self.errors = errors


class TaskRevoked(TaskFailed):
    """The task was taken back before it ended: it expired, or somebody revoked or terminated it."""

    verb = "was revoked"


class LetterNotFound(TaskClientError):
    """There is no dead letter of this id; it may have been replayed, discarded or removed by a limit."""


class NotReplayable(TaskClientError):
    """The dead letter cannot be put back now; it stays where it is, and the message says what to do."""
