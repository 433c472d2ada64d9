"""Filters that foretell delays, and how well each would have done in the months of the past."""

from datetime import date
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from datastore.base import Base, Timestamps


class BacktestFilter(Timestamps, Base):
    """A rule, as JSON, that picks the flights it takes for late ones; its name is unique."""

    __tablename__ = "backtest_filters"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    name: Mapped[str] = mapped_column(unique=True)
    rule: Mapped[dict[str, Any]]


class BacktestResult(Timestamps, Base):
    """How a filter did in one month, which is named by its first day.

    `hits` were picked and late, `false_alarms` picked and not late, `misses` late and not picked. `precision` is
    hits / (hits + false_alarms), `recall` is hits / (hits + misses); None where that would divide by zero.
    """

    __tablename__ = "backtest_results"
    __table_args__ = (
        CheckConstraint("extract(day FROM month) = 1", name="month"),
        CheckConstraint("hits >= 0 AND misses >= 0 AND false_alarms >= 0", name="counts"),
        CheckConstraint("precision BETWEEN 0 AND 1", name="precision"),
        CheckConstraint("recall BETWEEN 0 AND 1", name="recall"),
    )

    filter_id: Mapped[UUID] = mapped_column(ForeignKey(BacktestFilter.id, ondelete="CASCADE"), primary_key=True)
    month: Mapped[date] = mapped_column(primary_key=True)
    hits: Mapped[int]
    misses: Mapped[int]
    false_alarms: Mapped[int]
    precision: Mapped[float | None]
    recall: Mapped[float | None]
