"""Effects that must not happen twice, and calls of tasks that wait to be sent; `workerkit` has what uses them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Identity, func
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.orm import Mapped, mapped_column

from datastore.base import Base


class Effect(Base):
    """The key of an effect that has happened, committed together with it; see `workerkit.once`."""

    __tablename__ = "effects"

    key: Mapped[str] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)


class OutboxCall(Base):
    """A task's call that was committed with the caller's own rows and is not sent yet; see `workerkit.outbox`.

    `id` is the task's id, and the idempotency key of a call without one of its own, so a call that is sent twice runs
    once. `error` says why it can never be sent; such a row stays until somebody deletes it, or sets the error to NULL
    to have it tried again.
    """

    __tablename__ = "outbox"

    number: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    id: Mapped[UUID] = mapped_column(unique=True)
    name: Mapped[str]
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)  # not JSONB, which takes no \u0000
    queue: Mapped[str]
    correlation_id: Mapped[str | None]
    idempotency_key: Mapped[str | None]
    error: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
