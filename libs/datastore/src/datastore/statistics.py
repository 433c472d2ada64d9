"""How late flights were: one row for each day and carrier, origin or route."""

from datetime import date
from enum import StrEnum

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from datastore.base import Base, Timestamps, choice


class StatisticKind(StrEnum):
    """What flights are grouped by; the key is a carrier's code, an airport's code, or a route as in `JFK-LAX`."""

    CARRIER = "carrier"
    ORIGIN = "origin"
    ROUTE = "route"


class DailyStatistic(Timestamps, Base):
    """The delays of one day's flights of one group; its key is the primary key, so a day can be computed again.

    `flights` counts all that were scheduled, `measured` those whose delay is known, `cancelled` those that never left.
    Delays are minutes, negative when early, and None if no flight was measured.
    """

    __tablename__ = "daily_statistics"
    __table_args__ = (
        CheckConstraint("measured >= 0 AND cancelled >= 0 AND measured + cancelled <= flights", name="counts"),
        CheckConstraint("(measured = 0) = (mean_delay IS NULL)", name="mean_delay"),
        CheckConstraint("(measured = 0) = (median_delay IS NULL)", name="median_delay"),
        CheckConstraint("(measured = 0) = (p90_delay IS NULL)", name="p90_delay"),
    )

    day: Mapped[date] = mapped_column(primary_key=True)
    kind: Mapped[StatisticKind] = mapped_column(choice(StatisticKind, "kind"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    flights: Mapped[int]
    measured: Mapped[int]
    cancelled: Mapped[int]
    mean_delay: Mapped[float | None]
    median_delay: Mapped[float | None]
    p90_delay: Mapped[float | None]
