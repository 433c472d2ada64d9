"""What the database says about flights, before it is put into words and pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

BIN_MINUTES = 15  # a step of the distribution; the limit below is between two steps
ON_TIME_MINUTES = 15  # the US Department of Transportation's limit: later than this is late


@dataclass(frozen=True)
class Measures:
    """How a set of flights did; delays at arrival in minutes, negative when early, None if no arrival is known.

    Args:
        flights: all that were scheduled.
        measured: those whose delay is known.
        cancelled: those that never left.
        on_time: those that arrived less than 15 minutes late.
        lower: a quarter was less late than this.
        median: half was.
        upper: three quarters were.
        p90: nine in ten were.
    """

    flights: int
    measured: int
    cancelled: int
    on_time: int
    lower: float | None
    median: float | None
    upper: float | None
    p90: float | None

    @property
    def on_time_share(self) -> float | None:
        """Of all flights, as the US Department of Transportation counts; None if no arrival is known."""
        return self.on_time / self.flights if self.measured else None

    @property
    def cancelled_share(self) -> float | None:
        """Of all flights; None if there are none."""
        return self.cancelled / self.flights if self.flights else None


@dataclass(frozen=True)
class Group:
    """The flights of one carrier, origin or route; `name` is for people, and the key where there is none."""

    key: str
    name: str
    measures: Measures


@dataclass(frozen=True)
class Hour:
    """The flights that were to leave in one hour of the day, 0 to 23, local time."""

    hour: int
    measures: Measures


@dataclass(frozen=True)
class Bin:
    """How many flights were from `start` up to 15 minutes later than planned."""

    start: int
    flights: int


@dataclass(frozen=True)
class DayMean:
    """One day of the daily statistics; the delay is None if no arrival is known, that is if none is `measured`."""

    day: date
    flights: int
    measured: int
    cancelled: int
    mean_delay: float | None


@dataclass(frozen=True)
class WeatherHour:
    """One hour's weather, the mean of the airports; Fahrenheit, miles per hour, inches, miles."""

    hour: int
    temperature: float | None
    wind: float | None
    precipitation: float | None
    visibility: float | None


@dataclass(frozen=True)
class Departure:
    """One line of the list of flights; times of day are read HHMM, delays are minutes."""

    scheduled: datetime
    day: date
    sched_dep_time: int
    carrier: str
    airline: str
    flight: int
    origin: str
    dest: str
    destination: str
    tailnum: str | None
    dep_delay: int | None
    arr_delay: int | None
    cancelled: bool


@dataclass(frozen=True)
class Facts:
    """A period's flights from all sides; hours, carriers, origins and routes that had no flights are left out."""

    days: Sequence[date]
    total: Measures
    hours: Sequence[Hour]
    bins: Sequence[Bin]
    carriers: Sequence[Group]
    origins: Sequence[Group]
    routes: Sequence[Group]
