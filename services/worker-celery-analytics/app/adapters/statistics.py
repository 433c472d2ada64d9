"""The SQL of daily statistics: one statement computes some days, writes what changed and removes what is stale."""

from datetime import date
from typing import NamedTuple

from sqlalchemy import (
    CTE,
    ColumnElement,
    Double,
    Select,
    and_,
    case,
    cast,
    delete,
    distinct,
    func,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.months import Days
from datastore.flights import Flight
from datastore.statistics import DailyStatistic, StatisticKind

_KEY = ("day", "kind", "key")
_NUMBERS = ("flights", "measured", "cancelled", "mean_delay", "median_delay", "p90_delay")


class Refreshed(NamedTuple):
    """What one statement did; `last_day` is None if the range has no flights."""

    days: int
    rows: int
    flights: int
    changed: int
    removed: int
    last_day: date | None


async def known_days(session: AsyncSession) -> Days | None:
    """The first and the last day that has flights or statistics; None if there are neither."""
    days = select(Flight.day).union_all(select(DailyStatistic.day)).subquery()
    first, last = (await session.execute(select(func.min(days.c.day), func.max(days.c.day)))).one()
    return Days(first, last) if first else None


async def refresh_days(session: AsyncSession, days: Days) -> Refreshed:
    """Make the statistics of a range of days what its flights say.

    Rows whose numbers are right already are not written again, so `updated_at` says when they changed.
    """
    fresh = _computed(days).cte("fresh")
    written, removed = _written(fresh), _removed(fresh, days)
    flights = func.coalesce(func.sum(fresh.c.flights).filter(fresh.c.kind == StatisticKind.ORIGIN.value), 0)
    counts = select(
        func.count(distinct(fresh.c.day)),
        func.count(fresh.c.day),
        flights,
        select(func.count()).select_from(written).scalar_subquery(),
        select(func.count()).select_from(removed).scalar_subquery(),
        func.max(fresh.c.day),
    )
    return Refreshed(*(await session.execute(counts)).one())


def _computed(days: Days) -> Select[tuple[object, ...]]:
    """All groups of all days at once: the table is read once."""
    by_carrier, by_route = func.grouping(Flight.carrier) == 0, func.grouping(Flight.dest) == 0
    kind = _choose(by_carrier, by_route, *[kind.value for kind in StatisticKind])
    key = _choose(by_carrier, by_route, Flight.carrier, Flight.origin, Flight.origin + "-" + Flight.dest)
    delay = cast(Flight.arr_delay, Double)
    groups = func.grouping_sets(
        tuple_(Flight.day, Flight.carrier),
        tuple_(Flight.day, Flight.origin),
        tuple_(Flight.day, Flight.origin, Flight.dest),
    )
    return (
        select(
            Flight.day,
            kind.label("kind"),
            key.label("key"),
            func.count().label("flights"),
            func.count(Flight.arr_delay).label("measured"),
            func.count().filter(and_(Flight.dep_time.is_(None), Flight.arr_delay.is_(None))).label("cancelled"),
            func.avg(delay).label("mean_delay"),
            func.percentile_cont(0.5).within_group(delay).label("median_delay"),
            func.percentile_cont(0.9).within_group(delay).label("p90_delay"),
        )
        .where(Flight.day.between(*days))
        .group_by(groups)
    )


def _choose(
    by_carrier: ColumnElement[bool], by_route: ColumnElement[bool], carrier: object, origin: object, route: object
) -> ColumnElement[str]:
    return case((by_carrier, carrier), (by_route, route), else_=origin)


def _written(fresh: CTE) -> CTE:
    new = insert(DailyStatistic).from_select([*_KEY, *_NUMBERS], select(*[fresh.c[name] for name in _KEY + _NUMBERS]))
    values = {name: new.excluded[name] for name in _NUMBERS}
    old = tuple_(*[getattr(DailyStatistic, name) for name in _NUMBERS])
    return (
        new.on_conflict_do_update(
            index_elements=_KEY,
            set_=values | {"updated_at": func.now()},
            where=old.is_distinct_from(tuple_(*values.values())),
        )
        .returning(DailyStatistic.day)
        .cte("written")
    )


def _removed(fresh: CTE, days: Days) -> CTE:
    same = and_(*[getattr(DailyStatistic, name) == fresh.c[name] for name in _KEY])
    is_fresh = select(1).where(same).correlate(DailyStatistic).exists()
    stale = delete(DailyStatistic).where(DailyStatistic.day.between(*days), ~is_fresh)
    return stale.returning(DailyStatistic.day).cte("removed")
