"""Log entries that are kept in the database, so that what happened to a job can be read beside it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Identity, func, text
from sqlalchemy.orm import Mapped, mapped_column

from datastore.base import Base


class LogEntry(Base):
    """One thing that happened: which `service` says so, how bad it is (`level`), what (`event`), and its `details`.

    `job_id` has no foreign key: an entry outlives its job, and may be written before the job is committed.
    """

    __tablename__ = "log_entries"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
    service: Mapped[str]
    level: Mapped[str]
    event: Mapped[str]
    job_id: Mapped[UUID | None]
    details: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=text("'{}'"))
