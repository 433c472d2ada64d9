"""A report as a document: numbers, tables and charts in their order, for whoever renders it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from app.facts import Bin, DayMean, Hour, Measures, WeatherHour
from app.results import Headline


class ColumnKind(StrEnum):
    """How a column is set."""

    TEXT = "text"
    NUMBER = "number"
    BAR = "bar"


@dataclass(frozen=True)
class Column:
    """A column of a table; `width` is its part of the table's, in percent."""

    title: str
    kind: ColumnKind
    width: int


@dataclass(frozen=True)
class Cell:
    """What stands in a table; `share` is the length of the bar before the text, from 0 to 1, None for none."""

    text: str
    share: float | None = None


@dataclass(frozen=True)
class Table:
    """A table; `note` says what it counts."""

    title: str
    note: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True)
class HoursChart:
    """Delays over the hours of the day."""

    hours: Sequence[Hour]


@dataclass(frozen=True)
class DelaysChart:
    """How many flights were how late."""

    bins: Sequence[Bin]
    total: Measures


@dataclass(frozen=True)
class TrendChart:
    """Mean delay and cancellations day by day; `marked` are the days that the report is about."""

    days: Sequence[DayMean]
    marked: Sequence[date]


@dataclass(frozen=True)
class WeekdaysChart:
    """Mean delay in minutes by day of the week, Monday first; None where no arrival is known."""

    delays: Sequence[float | None]


@dataclass(frozen=True)
class WeatherChart:
    """The weather of a day."""

    hours: Sequence[WeatherHour]


Plot = HoursChart | DelaysChart | TrendChart | WeekdaysChart | WeatherChart


@dataclass(frozen=True)
class Chart:
    """A picture; `name` is unique in the document, `alt` says in words what is to be seen."""

    name: str
    title: str
    note: str
    alt: str
    plot: Plot


@dataclass(frozen=True)
class Document:
    """A report, ready to be rendered: `name` is that of its kind, `title` that of its period.

    `last_day` dates it, so that the same data make the same bytes.
    """

    name: str
    title: str
    lead: str
    last_day: date
    headlines: Sequence[Headline]
    charts: Sequence[Chart]
    tables: Sequence[Table]
    notes: Sequence[str] = field(default_factory=tuple)

    @property
    def subtitle(self) -> str:
        """What the report is about, whatever its period."""
        return f"{self.name} \N{MIDDLE DOT} flights from New York City"
