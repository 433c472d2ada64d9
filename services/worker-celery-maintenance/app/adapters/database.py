"""The tables that are cleaned up, in short transactions."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.errors import LockNotAvailable
from sqlalchemy import ColumnElement, func, select, text, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from datastore.effects import Effect
from datastore.jobs import STAGING_SCHEMA, Job, JobState, RejectedRow
from datastore.logs import LogEntry
from datastore.users import User
from workerkit.batches import delete_in_batches, in_batches

Sessions = Callable[[], AbstractContextManager[Session]]
_FINAL = (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)
_STAGING = text(
    "SELECT relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace"
    " WHERE relkind = 'r' AND nspname = :schema AND relname ~ '^job_[0-9a-f]{32}$' ORDER BY relname"
)
_LOCK_TIMEOUT = "2s"  # while DROP waits for its lock, everybody else who needs the table waits behind it


class DatabaseRecords:
    """The tables; errors are those of `sessions`.

    Args:
        sessions: opens one, as `workerkit.database.get_sync_db`.
    """

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def delete_log_entries(self, before: datetime) -> int:
        """Delete the entries from before a moment; returns how many."""
        with self._sessions() as session:
            return delete_in_batches(session, LogEntry, LogEntry.created_at < before)

    def delete_effects(self, before: datetime) -> int:
        """Forget the effects from before a moment; returns how many."""
        with self._sessions() as session:
            return delete_in_batches(session, Effect, Effect.created_at < before)

    def deactivate_users(self, before: datetime) -> int:
        """Deactivate the active users not seen since a moment; returns how many."""
        deactivated = 0
        with self._sessions() as session:
            for batch in in_batches(session, select(User.id).where(_inactive(before)), [User.id]):
                # The condition again: whoever came back meanwhile stays active.
                found = User.id.in_([number for (number,) in batch])
                result: Any = session.execute(update(User).where(found, _inactive(before)).values(active=False))
                deactivated += result.rowcount
                session.commit()
        return deactivated

    def count_inactive_users(self, before: datetime) -> int:
        """How many `deactivate_users` would deactivate."""
        with self._sessions() as session:
            return session.scalar(select(func.count()).select_from(User).where(_inactive(before))) or 0

    def delete_jobs(self, before: datetime) -> int:
        """Delete the final jobs not changed since a moment, and what they rejected; returns how many jobs."""
        ended = (Job.state.in_(_FINAL), Job.updated_at < before)
        with self._sessions() as session:
            # The cascade alone would delete all rejected rows of a thousand jobs in one transaction.
            delete_in_batches(session, RejectedRow, RejectedRow.job_id.in_(select(Job.id).where(*ended)))
            return delete_in_batches(session, Job, *ended)

    def staging_tables(self) -> dict[str, UUID]:
        """The names of the jobs' staging tables, each with the job's id."""
        with self._sessions() as session:
            found = session.scalars(_STAGING, {"schema": STAGING_SCHEMA})
            return {name: UUID(name.removeprefix("job_")) for name in found}

    def jobs_that_need_staging(self, jobs: set[UUID], before: datetime) -> set[UUID]:
        """Those of `jobs` that were changed since `before`; one that runs is changed with each batch."""
        with self._sessions() as session:
            return set(session.scalars(select(Job.id).where(Job.id.in_(jobs), Job.updated_at >= before)))

    def drop_staging_table(self, name: str) -> bool:
        """Drop a staging table, if it is still there; False if it is in use."""
        with self._sessions() as session:
            try:
                session.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'"))
                session.execute(text(f"DROP TABLE IF EXISTS {STAGING_SCHEMA}.{name}"))
            except OperationalError as error:
                if not isinstance(error.orig, LockNotAvailable):
                    raise
                session.rollback()
                return False
        return True


def _inactive(before: datetime) -> ColumnElement[bool]:
    return User.active & (func.coalesce(User.last_seen_at, User.created_at) < before)
