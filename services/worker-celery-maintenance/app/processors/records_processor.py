"""Decides which rows of the database are old, and what happens to them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import UUID


class Records(Protocol):
    """The tables; each method acts on rows from strictly before a moment and returns how many they were."""

    def delete_log_entries(self, before: datetime) -> int:
        """Delete by the time of the entry."""

    def delete_effects(self, before: datetime) -> int:
        """Delete the keys of effects by the time of the effect."""

    def deactivate_users(self, before: datetime) -> int:
        """Deactivate active users by when they were last seen, or made if that was never."""

    def count_inactive_users(self, before: datetime) -> int:
        """Count whom `deactivate_users` would deactivate."""

    def delete_jobs(self, before: datetime) -> int:
        """Delete jobs in a final state, and the rows they rejected, by the time of their last change."""

    def staging_tables(self) -> dict[str, UUID]:
        """The names of all staging tables, each with the id of its job."""

    def jobs_that_need_staging(self, jobs: set[UUID], before: datetime) -> set[UUID]:
        """Those of `jobs` that were changed since `before`."""

    def drop_staging_table(self, name: str) -> bool:
        """Drop a staging table; False if somebody uses it."""


def utc_now() -> datetime:
    """The time of this machine's clock."""
    return datetime.now(UTC)


class RecordsProcessor:
    """Cleans the database up.

    Args:
        records: the tables.
        now: the clock.

    All methods can be repeated, and two of them at once share the work. Their errors are those of `records`.
    """

    def __init__(self, records: Records, now: Callable[[], datetime] = utc_now) -> None:
        self._records, self._now = records, now

    def prune_logs(self, days: int) -> int:
        """Delete log entries older than `days`; returns how many."""
        return self._records.delete_log_entries(self._before(days))

    def remove_old_effects(self, days: int) -> int:
        """Forget effects older than `days`, which could happen again then; returns how many."""
        return self._records.delete_effects(self._before(days))

    def deactivate_inactive_users(self, days: int, *, dry_run: bool = False) -> int:
        """Deactivate active users who were not seen for more than `days`; returns how many.

        One who was never seen counts as seen when the account was made. A `dry_run` only counts them.
        """
        before = self._before(days)
        return self._records.count_inactive_users(before) if dry_run else self._records.deactivate_users(before)

    def remove_old_jobs(self, days: int) -> int:
        """Delete jobs that ended more than `days` ago; returns how many."""
        return self._records.delete_jobs(self._before(days))

    def remove_staging_tables(self, days: int) -> int:
        """Drop the staging tables of jobs that are gone or unchanged for `days`; returns how many."""
        # In this order: a job is there before its table, so a table whose job is not found has really lost it.
        tables = self._records.staging_tables()
        needed = self._records.jobs_that_need_staging(set(tables.values()), self._before(days))
        return sum(self._records.drop_staging_table(name) for name, job in tables.items() if job not in needed)

    def _before(self, days: int) -> datetime:
        return self._now() - timedelta(days=days)
