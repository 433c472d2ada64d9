"""The numbers of a report are those that plain Python finds in the file."""

import csv
import io
import statistics
from datetime import date, timedelta

import pytest

from app.adapters.flight_data import flight_data
from app.adapters.flight_list import flight_list
from app.processors.sections import worst_hour, worst_routes

DAY = date(2013, 7, 22)


@pytest.fixture
def facts(real_year):
    with flight_data() as data:
        return data.facts([DAY])


def delays(rows):
    return [int(row["arr_delay"]) for row in rows if "arr_delay" in row]


def counted(rows):
    known = delays(rows)
    cancelled = sum("dep_time" not in row for row in rows)
    return len(rows), len(known), cancelled, sum(delay < 15 for delay in known), statistics.median(known)


def measured(measures):
    return measures.flights, measures.measured, measures.cancelled, measures.on_time, measures.median


def grouped(rows, key):
    groups = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return groups


def test_the_day_as_a_whole(facts, flights):
    assert measured(facts.total) == counted(flights[DAY]) == (1000, 858, 123, 418, 17.0)
    lower, _, upper = statistics.quantiles(delays(flights[DAY]), n=4, method="inclusive")
    assert (facts.total.lower, facts.total.upper) == (lower, upper)
    assert facts.total.p90 == pytest.approx(statistics.quantiles(delays(flights[DAY]), n=10, method="inclusive")[-1])


def test_thirty_days_together(real_year, flights):
    days = [DAY - timedelta(number) for number in range(1, 31)]
    with flight_data() as data:
        assert data.days_between(days[-1], days[0]) == sorted(days)
        assert measured(data.total(days)) == counted([row for day in days for row in flights[day]])


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("carriers", lambda row: row["carrier"]),
        ("origins", lambda row: row["origin"]),
        ("routes", lambda row: f"{row['origin']}-{row['dest']}"),
    ],
)
def test_groups(facts, flights, name, key):
    found = {group.key: measured(group.measures) for group in getattr(facts, name) if group.measures.measured}
    assert found == {k: counted(rows) for k, rows in grouped(flights[DAY], key).items() if delays(rows)}


def test_groups_have_names_where_there_are_any(facts):
    names = {group.key: group.name for group in [*facts.carriers, *facts.origins, *facts.routes]}
    assert (names["B6"], names["LGA"]) == ("JetBlue Airways", "La Guardia")
    assert names["JFK-LAX"] == "JFK to Los Angeles Intl (LAX)"
    assert names["JFK-SJU"] == "JFK to SJU"  # airports.csv does not have it


def test_hours_and_the_worst_of_them(facts, flights):
    hours = grouped(flights[DAY], lambda row: int(row["sched_dep_time"]) // 100)
    known = {hour: counted(rows) for hour, rows in hours.items() if delays(rows)}
    assert {found.hour: measured(found.measures) for found in facts.hours if found.measures.measured} == known
    worst = max((hour for hour in known if known[hour][1] >= 10), key=lambda hour: known[hour][4])
    assert worst_hour(facts.hours).hour == worst == 19


def test_the_worst_routes(facts, flights):
    routes = grouped(flights[DAY], lambda row: f"{row['origin']}-{row['dest']}")
    medians = sorted(
        (statistics.median(delays(rows)) for rows in routes.values() if len(delays(rows)) >= 3), reverse=True
    )
    assert [route.measures.median for route in worst_routes(facts)] == medians[:8]


def test_the_distribution_has_every_measured_flight_once(facts, flights):
    expected = grouped(delays(flights[DAY]), lambda delay: delay // 15 * 15)
    assert {found.start: found.flights for found in facts.bins} == {k: len(v) for k, v in expected.items()}


def test_the_trend_comes_from_the_statistics(real_year, flights):
    first = DAY - timedelta(29)
    with flight_data() as data:
        trend = data.trend(first, DAY)
    assert [found.day for found in trend] == [first + timedelta(number) for number in range(30)]
    for found in trend:
        rows = flights[found.day]
        assert (found.flights, found.measured, found.cancelled) == counted(rows)[:3]
        assert found.mean_delay == pytest.approx(statistics.mean(delays(rows)))


def test_the_weather_is_that_of_the_local_day_and_has_no_impossible_wind(real_year):
    with flight_data() as data:
        stormy, none = data.weather(date(2013, 2, 12)), data.weather(date(2013, 12, 31))
    assert [hour.hour for hour in stormy] == list(range(24))
    assert max(hour.wind for hour in stormy) < 30  # EWR reports 1,048 mph at 3:00
    assert none == []


def test_the_list_has_every_flight_once(real_year, flights):
    with flight_data() as data:
        lines = list(csv.DictReader(io.StringIO(flight_list(data.departures([DAY])).decode())))
    key = lambda row: (row["carrier"], row["flight"], row["origin"])  # noqa: E731
    expected = {key(row): (row.get("arr_delay", ""), "no" if "dep_time" in row else "yes") for row in flights[DAY]}
    assert {key(row): (row["arrival_delay_minutes"], row["cancelled"]) for row in lines} == expected
    assert len(lines) == 1000
    assert {row["day"] for row in lines} == {"2013-07-22"}
