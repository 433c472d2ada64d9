"""Reads flights, statistics and weather; all through one session, so that the numbers of a report fit each other."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Date, Select, cast, func, select
from sqlalchemy.orm import Session

from app.facts import BIN_MINUTES, ON_TIME_MINUTES, Bin, DayMean, Departure, Facts, Group, Hour, Measures, WeatherHour
from datastore.flights import Airline, Airport, Flight, Weather
from datastore.statistics import DailyStatistic, StatisticKind
from workerkit.database import get_sync_db

_POSSIBLE_WIND = 200  # miles per hour; the highest ever measured on the ground is 253, and one reading says 1,048
_NEW_YORK = "America/New_York"
_DELAY = Flight.arr_delay


class FlightData:
    """Queries; days are those of New York.

    Args:
        session: open, with a transaction of its own.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def last_day(self) -> date | None:
        """The latest day that has statistics."""
        return self._session.scalar(select(func.max(DailyStatistic.day)))

    def known_days(self) -> tuple[date, date] | None:
        """The first and the last day that have flights."""
        first, last = self._session.execute(select(func.min(Flight.day), func.max(Flight.day))).one()
        return (first, last) if first else None

    def days_between(self, first: date, last: date) -> list[date]:
        """The days from `first` to `last`, both included, that have flights."""
        query = select(Flight.day).where(Flight.day.between(first, last)).distinct().order_by(Flight.day)
        return list(self._session.scalars(query))

    def total(self, days: Sequence[date]) -> Measures:
        """All flights of these days."""
        return Measures(*self._session.execute(_measure(days)).one())

    def facts(self, days: Sequence[date]) -> Facts:
        """These days' flights from all sides."""
        return Facts(
            days=days,
            total=self.total(days),
            hours=[Hour(int(hour), measures) for (hour,), measures in self._grouped(days, _HOUR)],
            bins=self._bins(days),
            carriers=self._named(days, Flight.carrier, Airline.carrier, Airline.name),
            origins=self._named(days, Flight.origin, Airport.faa, Airport.name),
            routes=self._routes(days),
        )

    def trend(self, first: date, last: date) -> list[DayMean]:
        """The daily statistics from `first` to `last`; every flight has one origin, so the origins add up."""
        measured = func.sum(DailyStatistic.measured)
        mean = func.sum(DailyStatistic.mean_delay * DailyStatistic.measured) / func.nullif(measured, 0)
        flights, cancelled = func.sum(DailyStatistic.flights), func.sum(DailyStatistic.cancelled)
        query = (
            select(DailyStatistic.day, flights, measured, cancelled, mean)
            .where(DailyStatistic.kind == StatisticKind.ORIGIN, DailyStatistic.day.between(first, last))
            .group_by(DailyStatistic.day)
            .order_by(DailyStatistic.day)
        )
        return [DayMean(*row) for row in self._session.execute(query)]

    def weather(self, day: date) -> list[WeatherHour]:
        """The weather of a day, hour by hour, without impossible winds."""
        local = func.timezone(_NEW_YORK, Weather.time_hour)
        hour = func.extract("hour", local)
        wind = func.avg(Weather.wind_speed).filter(Weather.wind_speed < _POSSIBLE_WIND)
        query = (
            select(hour, func.avg(Weather.temp), wind, func.avg(Weather.precip), func.avg(Weather.visib))
            .where(cast(local, Date) == day)
            .group_by(hour)
            .order_by(hour)
        )
        return [WeatherHour(int(row[0]), *row[1:]) for row in self._session.execute(query)]

    def departures(self, days: Sequence[date]) -> Iterator[Departure]:
        """Each flight, by the time it was to leave."""
        query = (
            select(
                *(Flight.time_hour, Flight.day, Flight.sched_dep_time, Flight.carrier),
                *(func.coalesce(Airline.name, Flight.carrier), Flight.flight, Flight.origin, Flight.dest),
                *(func.coalesce(Airport.name, Flight.dest), Flight.tailnum, Flight.dep_delay, _DELAY),
                Flight.dep_time.is_(None),
            )
            .outerjoin(Airline, Airline.carrier == Flight.carrier)
            .outerjoin(Airport, Airport.faa == Flight.dest)
            .where(Flight.day.in_(days))
            .order_by(Flight.time_hour, Flight.sched_dep_time, Flight.carrier, Flight.flight, Flight.origin)
        )
        return (Departure(*tuple(row)) for row in self._session.execute(query))

    def _bins(self, days: Sequence[date]) -> list[Bin]:
        start = func.floor(_DELAY / float(BIN_MINUTES)) * BIN_MINUTES
        query = select(start, func.count()).where(Flight.day.in_(days), _DELAY.is_not(None))
        return [Bin(int(first), count) for first, count in self._session.execute(query.group_by(start).order_by(start))]

    def _named(self, days: Sequence[date], key: Any, name_key: Any, name: Any) -> list[Group]:
        names: dict[str, str] = {row[0]: row[1] for row in self._session.execute(select(name_key, name))}
        return [Group(code, names.get(code, code), measures) for (code,), measures in self._grouped(days, key)]

    def _routes(self, days: Sequence[date]) -> list[Group]:
        names = {row[0]: row[1] for row in self._session.execute(select(Airport.faa, Airport.name))}
        found = self._grouped(days, Flight.origin, Flight.dest)
        return [
            Group(f"{start}-{end}", f"{start} to {_place(end, names)}", measures) for (start, end), measures in found
        ]

    def _grouped(self, days: Sequence[date], *keys: ColumnElement[Any] | Any) -> list[tuple[tuple[Any, ...], Measures]]:
        query = _measure(days).add_columns(*keys).group_by(*keys).order_by(*keys)
        return [(tuple(row[8:]), Measures(*row[:8])) for row in self._session.execute(query)]


@contextmanager
def flight_data() -> Iterator[FlightData]:
    """The data as they are at one moment, however many rows are loaded meanwhile.

    Raises:
        TransientError: the database is away or busy.
    """
    with get_sync_db() as session:
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        yield FlightData(session)


_HOUR = func.div(Flight.sched_dep_time, 100) % 24


def _measure(days: Sequence[date]) -> Select[Any]:
    quantiles = [func.percentile_cont(share).within_group(_DELAY) for share in (0.25, 0.5, 0.75, 0.9)]
    counts = (
        func.count(),
        func.count(_DELAY),
        func.count().filter(Flight.dep_time.is_(None)),
        func.count().filter(_DELAY < ON_TIME_MINUTES),
    )
    return select(*counts, *quantiles).select_from(Flight).where(Flight.day.in_(days))


def _place(code: str, names: dict[str, str]) -> str:
    return f"{names[code]} ({code})" if code in names else code
