"""What a finished task came to: its value, or the error that stands for its failure."""

from typing import Any

from taskclient.errors import FieldError, TaskFailed, TaskRejected, TaskRevoked
from taskclient.results import TaskRecord

REJECTION = "InvalidPayload"  # the class in the worker that says: this payload does not fit the task


def value_of(record: TaskRecord) -> Any:
    """The value that a finished task returned.

    Args:
        record: a record whose `finished` is true.

    Raises:
        TaskRejected: the worker refused the payload.
        TaskRevoked: the task expired or was revoked.
        TaskFailed: the task raised anything else.
    """
    if record.status == "SUCCESS":
        return record.result
    raise _failure(record)


def reason_of(record: TaskRecord) -> str:
    """In one line, why a task failed or was revoked."""
    failure = _failure(record)
    return f"{failure.error_type}: {failure.message}"


def _failure(record: TaskRecord) -> TaskFailed:
    error_type, arguments = _stored_exception(record.result)
    message = ", ".join(str(argument) for argument in arguments)
    if record.status == "REVOKED":
        return TaskRevoked(record.task_id, error_type, message, record.traceback)
    if error_type == REJECTION and (errors := _field_errors(arguments)) is not None:
        return TaskRejected(record.task_id, error_type, str(arguments[0]), record.traceback, errors)
    return TaskFailed(record.task_id, error_type, message, record.traceback)


def _stored_exception(stored: Any) -> tuple[str, list[Any]]:
    """The exception's class name and its arguments; Celery stores a dictionary with both."""
    if not isinstance(stored, dict):
        return "Unknown", [stored]
    arguments = stored.get("exc_message", [])
    return str(stored.get("exc_type", "Unknown")), arguments if isinstance(arguments, list) else [arguments]


def _field_errors(arguments: list[Any]) -> list[FieldError] | None:
    """The wrong fields of `InvalidPayload(message, errors)`, or None if another class only has that name."""
    match arguments:
        case [_, list(errors)] if all(isinstance(error, dict) for error in errors):
            return [FieldError(field=str(e.get("field", "")), problem=str(e.get("problem", ""))) for e in errors]
    return None
