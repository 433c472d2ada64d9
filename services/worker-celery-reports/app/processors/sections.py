"""The parts that reports share: numbers, tables and charts of a period, whatever its length."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from app.document import (
    Cell,
    Chart,
    Column,
    ColumnKind,
    DelaysChart,
    HoursChart,
    Table,
    TrendChart,
    WeatherChart,
    WeekdaysChart,
)
from app.facts import ON_TIME_MINUTES, DayMean, Facts, Group, Hour, Measures, WeatherHour
from app.processors.wording import WEEKDAYS, clock, counted, lateness, minutes, number, percent, points, short_day
from app.results import Headline

WORST_ROUTES = 8
_ENOUGH = 10  # measured flights that give an hour or a carrier a rank
_MEASURED = (  # what `_measured` fills
    Column("On time", ColumnKind.BAR, 24),
    Column("Median", ColumnKind.NUMBER, 9),
    Column("Nine in ten", ColumnKind.NUMBER, 9),
    Column("Cancelled", ColumnKind.NUMBER, 9),
)
_NOTABLE = 0.02  # of the share on time; changes below it are everyday ones
NOTES = (
    f"On time: arrived less than {ON_TIME_MINUTES} minutes late; cancelled and diverted flights are not on time, as "
    "the US Department of Transportation counts. Delays are those of the arrival in minutes, negative when early; of "
    "flights whose arrival is not known there is none. Nine in ten: the delay that 90 % of the flights did not exceed.",
    "Times are those of New York. Flights are counted in the hour in which they were to leave.",
)


@dataclass(frozen=True)
class Comparison:
    """An earlier period: its name, how many days of it there are, and how its flights did."""

    label: str
    days: int
    total: Measures

    @property
    def mention(self) -> str:
        """The label within a sentence."""
        return f"the p{self.label[1:]}" if self.label.startswith("Previous") else self.label


def headlines(facts: Facts, usual: Comparison | None) -> list[Headline]:
    """The numbers that everybody reads, with what is usual if that is known."""
    total, days = facts.total, len(facts.days)
    return [
        Headline(label="Flights", value=number(total.flights), note=_per_day(total.flights, days, usual)),
        Headline(label="On time", value=percent(total.on_time_share), note=_change(total, usual)),
        Headline(label="Median arrival", value=lateness(total.median), note=_usual_median(usual)),
        Headline(label="Cancelled", value=number(total.cancelled), note=f"{percent(total.cancelled_share)} of flights"),
        _worst_hour(facts.hours),
    ]


def summary(facts: Facts, opening: str, usual: Comparison | None) -> list[str]:
    """A few lines of plain text for the body of a mail; the second is the verdict, from the fourth on the worst."""
    total = facts.total
    lines = [
        f"{opening}: {counted(total.flights, 'flight')} were to leave New York, {number(total.cancelled)} of them were "
        f"cancelled ({percent(total.cancelled_share)}).",
        _verdict(total, usual),
        f"Median arrival: {lateness(total.median)}; nine in ten were no worse than {lateness(total.p90)}.",
    ]
    hour, carrier, route = worst_hour(facts.hours), _worst(facts.carriers), _first(worst_routes(facts))
    lines += [f"Worst hour: departures from {clock(hour.hour)}, {lateness(hour.measures.median)}."] if hour else []
    lines += [f"Least on time: {carrier.name}, {percent(carrier.measures.on_time_share)}."] if carrier else []
    lines += [f"Worst route: {route.name}, {lateness(route.measures.median)}."] if route else []
    return lines


def comparison_table(label: str, facts: Facts, earlier: Sequence[Comparison]) -> Table:
    """The period beside earlier ones."""
    columns = [
        Column("", ColumnKind.TEXT, 34),
        Column("Flights a day", ColumnKind.NUMBER, 15),
        *_MEASURED,
    ]
    rows = [_compared(period) for period in [Comparison(label, len(facts.days), facts.total), *earlier]]
    return Table("Compared with earlier days", "Medians and nine in ten in minutes of delay", columns, rows)


def group_table(title: str, note: str, first: str, groups: Sequence[Group]) -> Table:
    """One line for each group, with its share of flights on time as a bar."""
    columns = [
        Column(first, ColumnKind.TEXT, 40),
        Column("Flights", ColumnKind.NUMBER, 9),
        *_MEASURED,
    ]
    return Table(title, note, columns, [_group_row(group) for group in groups])


def group_tables(facts: Facts) -> list[Table]:
    """The origins, the carriers and the worst routes."""
    least = _enough_for_a_route(facts)
    return [
        group_table("Airports of departure", "Most punctual first", "Airport", ranked(facts.origins)),
        group_table("Carriers", _ORDER, "Carrier", ranked(facts.carriers)),
        group_table(
            "Worst routes",
            f"Highest median delay, of routes with at least {counted(least, 'known arrival')}",
            "Route",
            worst_routes(facts),
        ),
    ]


def hours_chart(facts: Facts) -> Chart:
    """Delays over the hours of the day."""
    worst = worst_hour(facts.hours)
    told = f"The worst hour is {clock(worst.hour)}, {lateness(worst.measures.median)}." if worst else _NOTHING
    note = "Arrival delay in minutes: median, and the middle half of the flights"
    return Chart("hours", "Delay by hour of departure", note, f"{note}, by hour. {told}", HoursChart(facts.hours))


def delays_chart(facts: Facts) -> Chart:
    """How many flights were how late."""
    total = facts.total
    note = "Flights by arrival delay, in steps of 15 minutes"
    alt = f"{note}. {percent(total.on_time_share)} were on time, the median is {lateness(total.median)}."
    return Chart("delays", "How late flights arrived", note, alt, DelaysChart(facts.bins, total))


def trend_chart(title: str, trend: Sequence[DayMean], marked: Sequence[date]) -> Chart:
    """Mean delay and cancelled flights, day by day."""
    known = [day for day in trend if day.mean_delay is not None]
    worst = max(known, key=lambda day: day.mean_delay or 0.0, default=None)
    told = f"The worst day is {short_day(worst.day)}, {lateness(worst.mean_delay)}." if worst else _NOTHING
    note = "Mean arrival delay in minutes, and cancelled flights"
    return Chart("trend", title, note, f"{note}, day by day. {told}", TrendChart(trend, marked))


def weekdays_chart(trend: Sequence[DayMean]) -> Chart:
    """Mean delay by day of the week."""
    delays = [_mean([day for day in trend if day.day.weekday() == number]) for number in range(7)]
    note = "Mean arrival delay in minutes"
    told = ", ".join(f"{name} {minutes(delay)}" for name, delay in zip(WEEKDAYS, delays, strict=True))
    return Chart("weekdays", "By day of the week", note, f"{note}: {told}.", WeekdaysChart(delays))


def weather_chart(hours: Sequence[WeatherHour]) -> Chart:
    """The weather of a day."""
    known = [hour.temperature for hour in hours if hour.temperature is not None]
    told = f"Between {min(known):.0f} and {max(known):.0f} °F." if known else "There are no readings."
    note = "Mean of the airports, hour by hour"
    return Chart(
        "weather",
        "Weather",
        note,
        f"{note}: temperature, wind, precipitation and visibility. {told}",
        WeatherChart(hours),
    )


def ranked(groups: Sequence[Group]) -> list[Group]:
    """Most punctual first; after them, in the same order, those with too few flights for a rank."""

    def place(group: Group) -> tuple[bool, float, str]:
        share = group.measures.on_time_share
        return group.measures.measured < _ENOUGH, 1.0 if share is None else -share, group.name

    return sorted(groups, key=place)


def worst_routes(facts: Facts) -> list[Group]:
    """The routes with the highest median, of those with enough flights."""
    least = _enough_for_a_route(facts)
    known = [route for route in facts.routes if route.measures.measured >= least]
    return sorted(known, key=lambda route: (-(route.measures.median or 0.0), route.key))[:WORST_ROUTES]


def worst_hour(hours: Sequence[Hour]) -> Hour | None:
    """The hour with the highest median, of those with enough flights."""
    known = [hour for hour in hours if hour.measures.measured >= _ENOUGH]
    return max(known, key=lambda hour: hour.measures.median or 0.0, default=None)


_NOTHING = "No arrival is known."
_ORDER = f"Most punctual first, then those with fewer than {_ENOUGH} known arrivals"


def _verdict(total: Measures, usual: Comparison | None) -> str:
    share, before = total.on_time_share, usual.total.on_time_share if usual else None
    if usual is None or share is None or before is None:
        return f"On time: {percent(share)}."
    known = f"{percent(share)} on time ({usual.mention}: {percent(before)})"
    if abs(share - before) < _NOTABLE:
        return f"About as punctual as usual: {known}."
    return f"{'More' if share > before else 'Less'} punctual than usual: {known}."


def _mean(days: Sequence[DayMean]) -> float | None:
    measured = sum(day.measured for day in days)
    return sum((day.mean_delay or 0.0) * day.measured for day in days) / measured if measured else None


def _worst(groups: Sequence[Group]) -> Group | None:
    known = [group for group in ranked(groups) if group.measures.measured >= _ENOUGH]
    return known[-1] if known else None


def _first(groups: Sequence[Group]) -> Group | None:
    return groups[0] if groups else None


def _enough_for_a_route(facts: Facts) -> int:
    return 3 if len(facts.days) == 1 else _ENOUGH


def _worst_hour(hours: Sequence[Hour]) -> Headline:
    worst = worst_hour(hours)
    if worst is None:
        return Headline(label="Worst hour", value="not known", note="too few arrivals are known")
    note = f"median {lateness(worst.measures.median)}"
    return Headline(label="Worst hour", value=f"{worst.hour:02}:00\N{EN DASH}{worst.hour:02}:59", note=note)


def _per_day(flights: int, days: int, usual: Comparison | None) -> str:
    parts = [f"{number(flights / days)} a day"] if days > 1 else []
    parts += [f"usually {number(usual.total.flights / usual.days)}"] if usual else []
    return ", ".join(parts)


def _change(total: Measures, usual: Comparison | None) -> str:
    change = points(total.on_time_share, usual.total.on_time_share) if usual else ""
    return f"{change} on {usual.mention}" if usual and change else ""


def _usual_median(usual: Comparison | None) -> str:
    return f"usually {lateness(usual.total.median)}" if usual else ""


def _compared(period: Comparison) -> list[Cell]:
    total = period.total
    return [Cell(period.label), Cell(number(total.flights / period.days)), *_measured(total)]


def _group_row(group: Group) -> list[Cell]:
    return [Cell(group.name), Cell(number(group.measures.flights)), *_measured(group.measures)]


def _measured(measures: Measures) -> list[Cell]:
    return [
        Cell(percent(measures.on_time_share), measures.on_time_share),
        Cell(minutes(measures.median)),
        Cell(minutes(measures.p90)),
        Cell(percent(measures.cancelled_share)),
    ]
