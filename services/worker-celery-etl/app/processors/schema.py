"""The datasets: which columns a file must have, what their fields may be, and which table takes them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Column as TableColumn
from sqlalchemy import DateTime, Double, Integer, SmallInteger, Table

from app.messages import Dataset
from app.processors.converters import Column, Convert, clock, day_in_new_york, hour, number, text_of, whole
from datastore.base import Base
from datastore.flights import Airline, Airport, Flight, Plane, Weather

MODELS: dict[Dataset, type[Base]] = {
    "airlines": Airline,
    "airports": Airport,
    "planes": Plane,
    "weather": Weather,
    "flights": Flight,
}
# Files may have these columns, and nothing is lost by leaving them out: they say again what `time_hour` says.
_IGNORED: dict[Dataset, frozenset[str]] = {
    "flights": frozenset({"year", "month", "day", "hour", "minute"}),
    "weather": frozenset({"year", "month", "day", "hour"}),
}
_DERIVED: dict[str, tuple[str, Convert]] = {"flights.day": ("time_hour", day_in_new_york)}
_SMALL, _LARGE = 2**15 - 1, 2**31 - 1  # what SMALLINT and INTEGER take
_LONGEST_KEY, _LONGEST_TEXT = 64, 10_000  # characters; an index takes no key of more than some 2,700 bytes
_NARROWER: dict[str, Convert] = {
    "airports.lat": number(-90, 90),
    "airports.lon": number(-180, 180),
    "airports.tz": whole(-12, 14),
    "planes.year": whole(1900, 2199),
    "planes.engines": whole(0, 100),
    "planes.seats": whole(0, 2_000),
    "planes.speed": whole(0, 2_000),
    "weather.temp": number(-150, 150),
    "weather.dewp": number(-150, 150),
    "weather.humid": number(0, 110),
    "weather.wind_dir": whole(0, 360),
    "weather.wind_speed": number(0, 2_000),  # the files of 2013 have one of 1,048 miles per hour
    "weather.wind_gust": number(0, 2_000),
    "weather.precip": number(0, 100),
    "weather.pressure": number(800, 1_200),
    "weather.visib": number(0, 1_000),
    "flights.flight": whole(0, _LARGE),
    "flights.air_time": whole(0, _SMALL),
    "flights.distance": whole(0, _SMALL),
    **{f"flights.{name}": clock for name in ("sched_dep_time", "dep_time", "sched_arr_time", "arr_time")},
}


@dataclass(frozen=True)
class Target:
    """A column of the table: where its text comes from, how it is converted, and what kind it is."""

    name: str
    origin: str
    convert: Column
    kind: str


@dataclass(frozen=True)
class Schema:
    """A dataset.

    Args:
        dataset: its name.
        table: takes its rows.
        targets: the table's columns.
        ignored: columns that a file may have, and that are not loaded.
    """

    dataset: Dataset
    table: Table
    targets: Sequence[Target]
    ignored: frozenset[str]

    @property
    def needed(self) -> list[str]:
        """The columns that a file must have."""
        return list(dict.fromkeys(target.origin for target in self.targets))


def schema_of(dataset: Dataset) -> Schema:
    """The schema of a dataset, with empty caches."""
    table = Base.metadata.tables[MODELS[dataset].__tablename__]
    targets = [_target(column) for column in table.columns]
    return Schema(dataset, table, targets, _IGNORED.get(dataset, frozenset()))


def _target(column: "TableColumn[object]") -> Target:
    kind, convert = _by_type(column)
    origin, convert = _DERIVED.get(str(column), (column.name, _NARROWER.get(str(column), convert)))
    return Target(column.name, origin, Column(convert, nullable=bool(column.nullable)), kind)


def _by_type(column: "TableColumn[object]") -> tuple[str, Convert]:
    longest = _LONGEST_KEY if column.primary_key else _LONGEST_TEXT
    kinds: list[tuple[type, str, Callable[[], Convert]]] = [
        (SmallInteger, "whole number", lambda: whole(-_SMALL - 1, _SMALL)),
        (Integer, "whole number", lambda: whole(-_LARGE - 1, _LARGE)),
        (Double, "number", lambda: number(-1e300, 1e300)),
        (DateTime, "time", lambda: hour),
    ]
    for sql_type, kind, make in kinds:
        if isinstance(column.type, sql_type):
            return kind, make()
    return "text", text_of(longest)
