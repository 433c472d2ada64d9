"""The two kinds of failure a processor decides between; anything else that a task raises is a bug."""

from typing import TypedDict


class TransientError(Exception):
    """Try again later: the outside world is away or busy, the payload is fine.

    The task is retried with exponential backoff and jitter until its `max_retries` are used up.
    """


class PermanentError(Exception):
    """Do not try again: the same payload would fail the same way.

    The task fails at once and the caller reads the message, so the message says what to change.
    """


class FieldError(TypedDict):
    """One wrong field of a payload: its dotted path and what is wrong with it, without the value itself."""

    field: str
    problem: str


class InvalidPayload(PermanentError):
    """The payload does not fit the task's signature; raised before the task's own code runs.

    Args:
        message: one sentence with the task's name and every problem.
        errors: all wrong fields, one `FieldError` each.

    Both stay in `args`, because the result backend stores an exception as its type and its args.
    """

    def __init__(self, message: str, errors: list[FieldError]) -> None:
        super().__init__(message, errors)

    @property
    def errors(self) -> list[FieldError]:
        """All wrong fields."""
        errors: list[FieldError] = self.args[1]
        return errors

    def __str__(self) -> str:
        return str(self.args[0])
