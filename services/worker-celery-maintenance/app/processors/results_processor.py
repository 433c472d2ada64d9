"""Decides which results of tasks are old."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from app.processors.records_processor import utc_now
from taskclient.results import FINISHED


@dataclass(frozen=True)
class StoredResult:
    """What is known of one result.

    Args:
        key: where it is.
        version: differs when it is written again.
        expires: whether it will go by itself some day.
        status: Celery's word for the state; None if the record is not readable.
        done: when the task ended, if it has.
    """

    key: bytes
    version: str
    expires: bool
    status: str | None = None
    done: datetime | None = None


class Results(Protocol):
    """The result backend."""

    def batches(self) -> Iterator[Sequence[StoredResult]]:
        """All results, some at a time."""

    def remove(self, results: Sequence[StoredResult]) -> int:
        """Remove those that were not written again; returns how many."""

    def expire(self, results: Sequence[StoredResult], seconds: int) -> None:
        """Let those go by themselves that do not yet."""


class ResultsProcessor:
    """Removes the old results of tasks.

    Args:
        results: the result backend.
        now: the clock.
    """

    def __init__(self, results: Results, now: Callable[[], datetime] = utc_now) -> None:
        self._results, self._now = results, now

    def remove_old(self, days: int) -> int:
        """Remove results of tasks that ended more than `days` ago, and those that would stay for ever.

        The latter go at once if nobody knows when they ended. Otherwise a caller may still be waiting, and an
        unfinished one may belong to a task that runs: they get an expiry of `days`.

        Returns:
            How many were removed; those that got an expiry are not among them.

        Raises:
            TransientError: the result backend is away; what was removed stays removed.
        """
        age = timedelta(days=days)
        before, removed = self._now() - age, 0
        for batch in self._results.batches():
            old = [result for result in batch if _is_old(result, before)]
            removed += self._results.remove(old)
            endless = [result for result in batch if not result.expires and result not in old]
            self._results.expire(endless, int(age.total_seconds()))
        return removed


def _is_old(result: StoredResult, before: datetime) -> bool:
    if result.status not in FINISHED:
        return False
    return not result.expires if result.done is None else result.done < before
