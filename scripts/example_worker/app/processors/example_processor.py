"""Decides; imports no Celery, so a test needs no worker."""

from pydantic import BaseModel

from workerkit.errors import PermanentError


class ExampleResult(BaseModel):
    """What the caller reads back."""

    total: int


class ExampleProcessor:
    """Adds up numbers.

    Args:
        limit: the largest number that is taken.
    """

    def __init__(self, *, limit: int) -> None:
        self._limit = limit

    def process(self, numbers: list[int]) -> ExampleResult:
        """Return the sum.

        Raises:
            PermanentError: a number is over the limit, so trying again is of no use.
        """
        too_large = [number for number in numbers if number > self._limit]
        if too_large:
            raise PermanentError(f"over the limit of {self._limit}: {too_large}; EXAMPLE_LIMIT sets it")
        return ExampleResult(total=sum(numbers))
