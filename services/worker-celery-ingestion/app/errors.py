"""Failures that know when to try again."""

from workerkit.errors import TransientError


class Busy(TransientError):
    """The provider asks for a pause (Retry-After).

    Args:
        message: one sentence.
        seconds: how long the pause is.

    Both stay in `args`, because the result backend stores an exception as its type and its args.
    """

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message, seconds)

    @property
    def seconds(self) -> float:
        """How long to wait."""
        seconds: float = self.args[1]
        return seconds

    def __str__(self) -> str:
        return str(self.args[0])


class NotYet(Busy):
    """Our own rate limit: this call's turn comes later. Nothing has failed, so no retry is used up."""
