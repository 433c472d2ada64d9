"""The kinds of report: what each is asked for, and how it puts its document together."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated, Any, Protocol

from pydantic import BaseModel, ConfigDict, Field

from app.document import Document, Table
from app.facts import DayMean, Departure, Facts, Measures, WeatherHour
from app.processors import sections
from app.processors.sections import Comparison
from app.processors.wording import long_day, month, weekday
from app.results import Kind
from workerkit.errors import PermanentError

_TREND_DAYS = 30
_WEEKS = 8


class Data(Protocol):
    """What a report reads."""

    def last_day(self) -> date | None:
        """The latest day that has statistics."""

    def known_days(self) -> tuple[date, date] | None:
        """The first and the last day that have flights."""

    def days_between(self, first: date, last: date) -> list[date]:
        """The days that have flights."""

    def total(self, days: Sequence[date]) -> Measures:
        """All flights of these days."""

    def facts(self, days: Sequence[date]) -> Facts:
        """These days' flights from all sides."""

    def trend(self, first: date, last: date) -> list[DayMean]:
        """The daily statistics."""

    def weather(self, day: date) -> list[WeatherHour]:
        """The weather of a day."""

    def departures(self, days: Sequence[date]) -> Iterator[Departure]:
        """Each flight."""


class DailyParameters(BaseModel):
    """The day; None is the latest one that has statistics."""

    model_config = ConfigDict(extra="forbid")

    day: date | None = None


class MonthlyParameters(BaseModel):
    """The month, as in `2013-12`; None is the one of the latest day that has statistics."""

    model_config = ConfigDict(extra="forbid")

    month: Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")] | None = None


@dataclass(frozen=True)
class Composed:
    """A report before it is rendered: how its folder is named, what it says and what it is about."""

    period: str
    document: Document
    summary: str
    facts: Facts


@dataclass(frozen=True)
class ReportKind:
    """What `parameters` has to be, and who makes a report of them."""

    parameters: type[BaseModel]
    compose: Callable[[Data, Any], Composed]


def daily(data: Data, parameters: DailyParameters) -> Composed:
    """The report about one day.

    Raises:
        PermanentError: there are no flights on that day, or no statistics at all.
    """
    day = parameters.day or _last_day(data)
    facts = data.facts(_days(data, day, day))
    earlier = _earlier(
        data,
        ("Previous", _days_before(data, day, 7), "day"),
        ("Previous", _days_before(data, day, _TREND_DAYS), "day"),
        ("Previous", _same_weekday(data, day), weekday(day)),
    )
    usual = _longest(earlier)
    trend = data.trend(day - timedelta(_TREND_DAYS - 1), day)
    charts = [
        sections.hours_chart(facts),
        sections.delays_chart(facts),
        sections.trend_chart(f"The last {_TREND_DAYS} days", trend, [day]),
        sections.weather_chart(data.weather(day)),
    ]
    tables = [sections.comparison_table(weekday(day), facts, earlier), *sections.group_tables(facts)]
    return _composed(day.isoformat(), long_day(day), "Daily report", facts, usual, (charts, tables))


def monthly(data: Data, parameters: MonthlyParameters) -> Composed:
    """The report about one month, as far as it has flights.

    Raises:
        PermanentError: there are no flights in that month, or no statistics at all.
    """
    first = date.fromisoformat(f"{parameters.month}-01") if parameters.month else _last_day(data).replace(day=1)
    last = (first + timedelta(31)).replace(day=1) - timedelta(1)
    facts = data.facts(_days(data, first, last))
    before = (first - timedelta(1)).replace(day=1)
    earlier = _earlier(
        data,
        (month(before), data.days_between(before, first - timedelta(1)), None),
        (f"{first.year} until then", data.days_between(first.replace(month=1), first - timedelta(1)), None),
    )
    usual = earlier[0] if earlier else None
    trend = data.trend(first, last)
    charts = [
        sections.hours_chart(facts),
        sections.delays_chart(facts),
        sections.trend_chart("Day by day", trend, []),
        sections.weekdays_chart(trend),
    ]
    tables = [sections.comparison_table(month(first), facts, earlier), *sections.group_tables(facts)]
    return _composed(f"{first:%Y-%m}", month(first), "Monthly report", facts, usual, (charts, tables))


KINDS: Mapping[Kind, ReportKind] = {
    "daily": ReportKind(DailyParameters, daily),
    "monthly": ReportKind(MonthlyParameters, monthly),
}


def _composed(
    period: str, title: str, name: str, facts: Facts, usual: Comparison | None, parts: tuple[list[Any], list[Table]]
) -> Composed:
    summary = sections.summary(facts, title, usual)
    document = Document(
        name=name,
        title=title,
        lead=" ".join([summary[1], *summary[3:]]),
        last_day=facts.days[-1],
        headlines=sections.headlines(facts, usual),
        charts=parts[0],
        tables=parts[1],
        notes=sections.NOTES,
    )
    return Composed(period, document, "\n".join(summary), facts)


def _last_day(data: Data) -> date:
    day = data.last_day()
    if day is None:
        raise PermanentError("there are no statistics yet: run app.tasks.stats.refresh_all_stats, or name the day")
    return day


def _days(data: Data, first: date, last: date) -> list[date]:
    days = data.days_between(first, last)
    if days:
        return days
    known = data.known_days()
    there_are = f"there are flights from {known[0]} to {known[1]}" if known else "no flights have been loaded at all"
    raise PermanentError(
        f"there are no flights {f'on {first}' if first == last else f'from {first} to {last}'}: {there_are}"
    )


def _days_before(data: Data, day: date, count: int) -> list[date]:
    return data.days_between(day - timedelta(count), day - timedelta(1))


def _same_weekday(data: Data, day: date) -> list[date]:
    return [earlier for earlier in _days_before(data, day, 7 * _WEEKS) if earlier.weekday() == day.weekday()]


def _earlier(data: Data, *periods: tuple[str, list[date], str | None]) -> list[Comparison]:
    """The periods of which there are days; at the beginning of the data two of them may be the same."""
    made: dict[str, Comparison] = {}
    for name, days, unit in periods:
        if days:
            label = f"{name} {len(days)} {unit}{'' if len(days) == 1 else 's'}" if unit else name
            made.setdefault(label, Comparison(label, len(days), data.total(days)))
    return list(made.values())


def _longest(earlier: Sequence[Comparison]) -> Comparison | None:
    return max(earlier, key=lambda comparison: comparison.days, default=None)
