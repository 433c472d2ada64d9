"""A job in PostgreSQL: its lock, how far it is, its staging table, and the one transaction that makes it visible."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, LiteralString, cast
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb
from sqlalchemy import Engine, Table

from app.adapters import tables
from app.messages import Reference
from app.rows import Checked, Rejected
from datastore.jobs import STAGING_SCHEMA, staging_table
from workerkit.database import get_sync_db
from workerkit.errors import PermanentError, TransientError

KIND = "etl"
_LOCK_SECONDS = 15.0  # for what a killed process has left running on the server
_POLL_SECONDS = 0.25
_SESSION = (
    "SET client_connection_check_interval = '1s'",  # a statement of a killed process ends, and with it the lock
    "SET work_mem = '64MB'",  # for one join and one grouping at a time
)


@contextmanager
def job_of(job_id: UUID, reference: Reference, table: Table) -> Iterator["LoadJob"]:
    """Hold the job of this id; no other process has it at the same time.

    Its connection is closed in the end, in whatever state it is. The lock is the connection's, so the lock of a killed
    process is free at once.

    Raises:
        TransientError: another process holds the job, or the database is away.
        PermanentError: the job is another file's, or was cancelled.
    """
    with get_sync_db() as session, cast("Engine", session.get_bind()).connect() as pooled:
        connection = cast("psycopg.Connection[Any]", pooled.connection.driver_connection)
        pooled.detach()  # so that leaving closes it
        connection.autocommit = True
        for statement in _SESSION:
            connection.execute(statement)
        _lock(connection, job_id)
        yield LoadJob(connection, job_id, reference, table)


def _lock(connection: psycopg.Connection[Any], job_id: UUID) -> None:
    deadline = time.monotonic() + _LOCK_SECONDS
    name = (job_id.int & (2**64 - 1)) - 2**63
    while not _first(connection.execute("SELECT pg_try_advisory_lock(%s)", (name,))):
        if time.monotonic() > deadline:
            raise TransientError(f"another run of job {job_id} is under way")
        time.sleep(_POLL_SECONDS)


class LoadJob:
    """One job while its lock is held; every method is one transaction.

    `position` is the last line that is staged or rejected, `staged` and `rejected` are the rows up to there.
    """

    def __init__(self, connection: psycopg.Connection[Any], job_id: UUID, reference: Reference, table: Table) -> None:
        self._connection, self.id, self._reference, self._table = connection, job_id, reference, table
        self._staging = sql.Identifier(STAGING_SCHEMA, staging_table(job_id))
        self.position = self.staged = self.rejected = 0

    def finished(self) -> Mapping[str, Any] | None:
        """Make the job if there is none; the report of one that has succeeded.

        Raises:
            PermanentError: this id is another file's, or the job was cancelled.
        """
        payload = self._reference.model_dump(mode="json")
        insert = "INSERT INTO jobs (id, kind, payload) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING"
        self._connection.execute(insert, (self.id, KIND, Jsonb(payload)))
        query = "SELECT kind, payload->>'source', payload->>'sha256', state, result FROM jobs WHERE id = %s"
        kind, source, sha256, state, result = self._connection.execute(query, (self.id,)).fetchone() or [None] * 5
        if (kind, source, sha256) != (KIND, self._reference.source, self._reference.sha256):
            raise PermanentError(f"job {self.id} is the {kind} job of another file ({source}): take a new id")
        if state == "cancelled":
            raise PermanentError(f"job {self.id} was cancelled: take a new id to load the file nevertheless")
        return cast("Mapping[str, Any]", result) if state == "succeeded" else None

    def is_latest(self) -> bool:
        """Say whether no other job of the dataset has succeeded since this one did."""
        query = """SELECT NOT EXISTS (SELECT FROM jobs AS later JOIN jobs AS own ON own.id = %s
            WHERE later.kind = own.kind AND later.payload->>'source' = own.payload->>'source'
            AND later.state = 'succeeded' AND later.updated_at > own.updated_at)"""
        return bool(_first(self._connection.execute(query, (self.id,))))

    def begin(self) -> None:
        """Go on where the last run was, or begin if there was none, or what it staged is lost."""
        with self._connection.transaction():
            query = "SELECT state, position, (result->>'staged')::bigint FROM jobs WHERE id = %s"
            state, position, staged = self._connection.execute(query, (self.id,)).fetchone() or (None, 0, 0)
            # A crash of the server empties unlogged tables; then all is done again.
            if state == "running" and staged is not None and self._count_staged() == staged:
                self.position, self.staged = position, staged
                count = "SELECT count(*) FROM rejected_rows WHERE job_id = %s"
                self.rejected = _first(self._connection.execute(count, (self.id,)))
            else:
                self._begin_anew()

    def add(self, checked: Checked) -> None:
        """Stage the good rows of a batch, keep the others, and note how far the job is: all or nothing.

        Raises:
            PermanentError: the job was cancelled meanwhile.
        """
        staged = self.staged + checked.good
        with self._connection.transaction():
            tables.copy_block(self._connection, self._staging, checked.block)
            tables.keep_rejected(self._connection, self.id, self._reference.source, checked.rejected)
            self._update("position = %s, result = %s", checked.position, Jsonb({"staged": staged}))
        self.position, self.staged = checked.position, staged
        self.rejected += len(checked.rejected)

    def count_duplicates(self) -> int:
        """How many staged rows have the key of an earlier line."""
        return tables.find_duplicates(self._connection, self._staging, self._table)

    def duplicates(self, first: int, last: int) -> Mapping[int, int]:
        """Those from line `first` to `last`, each with the line that has its key."""
        query = "SELECT line, first FROM duplicates WHERE line BETWEEN %s AND %s"
        return dict(self._connection.execute(query, (first, last)).fetchall())

    def reject_staged(self, rejected: list[Rejected]) -> None:
        """Reject rows that are staged already."""
        lines = [row.line for row in rejected]
        with self._connection.transaction():
            tables.keep_rejected(self._connection, self.id, self._reference.source, rejected)
            self._connection.execute(sql.SQL("DELETE FROM {} WHERE line = ANY(%s)").format(self._staging), (lines,))
            self._update("result = %s", Jsonb({"staged": self.staged - len(lines)}))
        self.staged -= len(lines)
        self.rejected += len(lines)

    @contextmanager
    def publish(self) -> Iterator["Publication"]:
        """The last transaction: the staged rows appear in the table, the job succeeds and staging is gone."""
        with self._connection.transaction():
            changed = tables.upsert(self._connection, self._staging, self._table)
            publication = Publication(changed)
            yield publication
            self._update("state = 'succeeded', error = NULL, total = position, result = %s", Jsonb(publication.report))
            self._drop_staging()

    def fail(self, reason: str) -> None:
        """The job has failed for good; its rejected rows are kept, what is staged is dropped."""
        with self._connection.transaction():
            self._drop_staging()
            # A job that was cancelled stays so.
            query = """UPDATE jobs SET state = 'failed', error = %s, result = NULL, updated_at = now()
                WHERE id = %s AND state IN ('pending', 'running')"""
            self._connection.execute(query, (reason.replace("\0", "?"), self.id))

    def _begin_anew(self) -> None:
        self._drop_staging()
        self._connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (STAGING_SCHEMA,))
        self._connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(STAGING_SCHEMA)))
        tables.create_staging(self._connection, self._staging, self._table, "UNLOGGED")
        self._connection.execute("DELETE FROM rejected_rows WHERE job_id = %s", (self.id,))
        query = """UPDATE jobs SET state = 'running', error = NULL, position = 0, total = NULL, result = %s,
            updated_at = now() WHERE id = %s"""
        self._connection.execute(query, (Jsonb({"staged": 0}), self.id))

    def _count_staged(self) -> int | None:
        name = f"{STAGING_SCHEMA}.{staging_table(self.id)}"
        if _first(self._connection.execute("SELECT to_regclass(%s)", (name,))) is None:
            return None
        return int(_first(self._connection.execute(sql.SQL("SELECT count(*) FROM {}").format(self._staging))))

    def _drop_staging(self) -> None:
        self._connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(self._staging))

    def _update(self, changes: LiteralString, *values: Any) -> None:
        query = sql.SQL("UPDATE jobs SET {}, updated_at = now() WHERE id = %s AND state = 'running'")
        if self._connection.execute(query.format(sql.SQL(changes)), (*values, self.id)).rowcount != 1:
            raise PermanentError(f"job {self.id} was cancelled or deleted while it ran")


class Publication:
    """What the last transaction of a job has changed, and the report that it stores."""

    def __init__(self, changed: int) -> None:
        self.changed = changed
        self.report: Mapping[str, Any] = {}


def _first(cursor: "psycopg.Cursor[Any]") -> Any:
    row = cursor.fetchone()
    return row[0] if row else None
