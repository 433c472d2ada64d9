"""Users: whom mails go to, and when they were last here."""

from datetime import datetime

from sqlalchemy import BigInteger, Identity, true
from sqlalchemy.orm import Mapped, mapped_column

from datastore.base import Base, Timestamps


class User(Timestamps, Base):
    """A person with an account, by number; `email` is unique as it is written.

    `last_seen_at` is None for one who was never here since the account was made at `created_at`. An account that is
    not `active` is kept, as other rows and systems may know its number.
    """

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    active: Mapped[bool] = mapped_column(default=True, server_default=true())
    last_seen_at: Mapped[datetime | None]
