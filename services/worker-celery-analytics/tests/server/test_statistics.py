"""The statistics of all flights of 2013, counted again by plain Python from the files."""

import statistics
from collections import defaultdict
from datetime import date

import pytest

from app.processors.stats_processor import StatsProcessor
from workerkit.database import get_task_session
from workerkit.errors import PermanentError
from workerkit.event_loop import run_async

ALL = "SELECT day, kind, key, flights, measured, cancelled, mean_delay, median_delay, p90_delay FROM daily_statistics"


def refresh(since=None, until=None):
    told = []
    processor = StatsProcessor(get_task_session, lambda *progress: told.append(progress))
    return run_async(processor.refresh(since, until)), told


@pytest.fixture(scope="session")
def expected(flights, loaded):
    """What the files say, by (day, kind, key)."""
    groups = defaultdict(list)
    for row in flights:
        for kind, key in (
            ("carrier", row["carrier"]),
            ("origin", row["origin"]),
            ("route", f"{row['origin']}-{row['dest']}"),
        ):
            groups[row["date"], kind, key].append(row)
    return {group: _numbers(rows) for group, rows in groups.items()}


def _numbers(rows):
    delays = [int(row["arr_delay"]) for row in rows if row["arr_delay"] is not None]
    cancelled = sum(row["dep_time"] is None for row in rows)
    if not delays:
        return (len(rows), 0, cancelled, None, None, None)
    p90 = statistics.quantiles(delays, n=10, method="inclusive")[8] if len(delays) > 1 else delays[0]
    return (len(rows), len(delays), cancelled, statistics.fmean(delays), statistics.median(delays), p90)


def _close(found, expected):
    """pytest.approx is slow for half a million numbers."""
    return all(a == b or (None not in (a, b) and abs(a - b) < 1e-9) for a, b in zip(found, expected, strict=True))


def test_every_group_of_every_day_is_what_the_files_say(database, query, expected):
    report, told = refresh()
    found = {tuple(row[:3]): row[3:] for row in query(ALL)}
    assert found.keys() == expected.keys()
    assert [group for group, numbers in expected.items() if not _close(found[group], numbers)] == []
    assert (report.days, report.flights, report.rows) == (365, 336_776, len(expected))
    assert (report.changed, report.removed, report.last_day) == (len(expected), 0, date(2013, 12, 31))
    assert told == [(month, 12, f"2013-{month:02}") for month in range(1, 13)]


def test_a_second_run_changes_nothing(database, query):
    refresh(date(2013, 3, 1), date(2013, 3, 31))
    before = query(f"{ALL} ORDER BY day, kind, key")
    written = query("SELECT max(updated_at) FROM daily_statistics")
    report, _ = refresh(date(2013, 3, 1), date(2013, 3, 31))
    assert (report.days, report.changed, report.removed) == (31, 0, 0)
    assert query(f"{ALL} ORDER BY day, kind, key") == before
    assert query("SELECT max(updated_at) FROM daily_statistics") == written


def test_only_the_days_between_since_and_until_are_computed(database, query):
    report, told = refresh(date(2013, 1, 31), date(2013, 2, 2))
    assert query("SELECT DISTINCT day FROM daily_statistics ORDER BY day") == [
        (date(2013, 1, 31),),
        (date(2013, 2, 1),),
        (date(2013, 2, 2),),
    ]
    assert (report.days, report.last_day) == (3, date(2013, 2, 2))
    assert told == [(1, 2, "2013-01"), (2, 2, "2013-02")]


@pytest.mark.parametrize("wide", [(date(1, 1, 1), date(2013, 1, 1)), (date(2013, 12, 31), date(9999, 12, 31))])
def test_days_far_from_all_flights_cost_nothing(database, wide):
    report, told = refresh(*wide)
    assert (report.days, len(told)) == (1, 1)


@pytest.mark.parametrize("outside", [(date(2012, 1, 1), date(2012, 12, 31)), (date(2014, 1, 1), None)])
def test_a_range_without_flights_is_reported_as_empty(database, outside):
    report, told = refresh(*outside)
    assert (report.days, report.rows, report.last_day, told) == (0, 0, None, [])


def test_a_range_that_ends_before_it_begins_is_refused(database):
    with pytest.raises(PermanentError, match="since must not be after until"):
        refresh(date(2013, 2, 1), date(2013, 1, 1))


FLIGHT = (
    "INSERT INTO flights (time_hour, carrier, flight, origin, dest, day, sched_dep_time, sched_arr_time, distance,"
    " dep_time, arr_delay) VALUES ('2013-05-02T12:00Z', %s, %s, 'JFK', %s, %s, 800, 1000, 500, %s, %s)"
)


def test_what_flights_do_not_say_any_more_is_removed_and_what_changed_is_written(empty):
    with empty.connect() as connection:
        connection.execute(FLIGHT, ["AA", 1, "LAX", date(2013, 5, 2), 805, 10])
        connection.execute(FLIGHT, ["UA", 2, "BOS", date(2013, 5, 2), None, None])
        connection.execute(FLIGHT, ["UA", 3, "BOS", date(2013, 7, 1), 805, 10])
        assert refresh()[0].rows == 8
        connection.execute("DELETE FROM flights WHERE flight <> 1")
        connection.execute("UPDATE flights SET arr_delay = 20")
        report, told = refresh()
        rows = connection.execute(f"{ALL} ORDER BY kind").fetchall()
        updated = connection.execute("SELECT bool_and(updated_at > created_at) FROM daily_statistics").fetchone()
    day = date(2013, 5, 2)
    assert rows == [
        (day, kind, key, 1, 1, 0, 20, 20, 20)
        for kind, key in (("carrier", "AA"), ("origin", "JFK"), ("route", "JFK-LAX"))
    ]
    assert (report.days, report.rows, report.changed, report.removed, updated) == (1, 3, 3, 5, (True,))
    assert [month for _, _, month in told] == ["2013-05", "2013-06", "2013-07"]


def test_a_flight_that_arrived_without_a_departure_is_not_counted_as_cancelled(empty):
    with empty.connect() as connection:
        connection.execute(FLIGHT, ["AA", 1, "LAX", date(2013, 5, 2), None, 10])
        refresh()
        counts = connection.execute("SELECT DISTINCT flights, measured, cancelled FROM daily_statistics").fetchall()
    assert counts == [(1, 1, 0)]


def test_without_flights_there_is_nothing_to_do(empty):
    report, told = refresh()
    assert (report.days, report.rows, report.flights, report.last_day, told) == (0, 0, 0, None, [])


def test_months_before_a_failure_stay(database, query):
    def fail_in_march(_done, _total, month):
        if month == "2013-03":
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        run_async(StatsProcessor(get_task_session, fail_in_march).refresh(None, None))
    assert query("SELECT max(day) FROM daily_statistics") == [(date(2013, 3, 31),)]
