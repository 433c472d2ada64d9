"""Jobs: what was asked for, how far it is and what came of it, and the rows that a job could not take."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, LargeBinary, func
from sqlalchemy.orm import Mapped, mapped_column

from datastore.base import Base, Timestamps, choice

# Where the rows of a job wait until all of them can appear at once; not among the tables that the migrations make.
STAGING_SCHEMA = "etl_staging"


def staging_table(job_id: UUID) -> str:
    """The name of a job's table in `STAGING_SCHEMA`."""
    return f"job_{job_id.hex}"


class JobState(StrEnum):
    """Where a job is; the last three states are final."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Job(Timestamps, Base):
    """One piece of long work, which goes on where it was when its worker dies.

    `position` is how much is done, committed together with the work itself, so that the next attempt starts there;
    `total` is the whole, None while nobody knows. The unit is the kind's own, such as bytes of a file. `error` says
    why it failed.
    """

    __tablename__ = "jobs"
    __table_args__ = (CheckConstraint("position >= 0 AND position <= coalesce(total, position)", name="position"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    kind: Mapped[str]
    state: Mapped[JobState] = mapped_column(
        choice(JobState, "state"),
        default=JobState.PENDING,
        server_default=JobState.PENDING.value,
        index=True,
    )
    payload: Mapped[dict[str, Any]]
    result: Mapped[dict[str, Any] | None]
    error: Mapped[str | None]
    position: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    total: Mapped[int | None] = mapped_column(BigInteger)


class RejectedRow(Base):
    """A row that could not be taken, with the reason; once for each job and line, however often the job was resumed.

    `raw` holds bytes: what is wrong with a row may be that it is no text, or that it holds a NUL, which PostgreSQL's
    text refuses.
    """

    __tablename__ = "rejected_rows"
    __table_args__ = (CheckConstraint("line > 0", name="line"),)

    job_id: Mapped[UUID] = mapped_column(ForeignKey(Job.id, ondelete="CASCADE"), primary_key=True)
    source: Mapped[str] = mapped_column(primary_key=True)
    line: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    reason: Mapped[str]
    raw: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
