"""Writes flights as CSV."""

import csv
import io
from collections.abc import Iterable

from app.facts import Departure

_HEADER = (
    *("day", "scheduled_departure", "carrier", "airline", "flight", "origin", "destination", "destination_name"),
    *("tail_number", "departure_delay_minutes", "arrival_delay_minutes", "cancelled"),
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def flight_list(departures: Iterable[Departure]) -> bytes:
    """One line for each flight, in UTF-8, after a line of names; what is not known is empty."""
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(_HEADER)
    writer.writerows(map(_line, departures))
    return file.getvalue().encode()


def _line(flight: Departure) -> list[str | int | None]:
    clock = f"{flight.sched_dep_time // 100:02}:{flight.sched_dep_time % 100:02}"
    return [
        flight.day.isoformat(),
        clock,
        _text(flight.carrier),
        _text(flight.airline),
        flight.flight,
        _text(flight.origin),
        _text(flight.dest),
        _text(flight.destination),
        _text(flight.tailnum),
        flight.dep_delay,
        flight.arr_delay,
        "yes" if flight.cancelled else "no",
    ]


def _text(value: str | None) -> str | None:
    """A text that a spreadsheet does not take for a formula."""
    return f"'{value}" if value and value.startswith(_FORMULA) else value
