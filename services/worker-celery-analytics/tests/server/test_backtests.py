"""Backtests on all flights of 2013: their numbers counted again by plain Python, their cancelling and resuming."""

import asyncio
from collections import Counter
from datetime import date
from uuid import uuid4

import pytest
from sqlalchemy.exc import IntegrityError

from app.processors.backtest_processor import BacktestProcessor, WrongJob
from app.rules import Rule
from datastore.jobs import JobState
from workerkit.database import get_task_session
from workerkit.errors import PermanentError
from workerkit.event_loop import run_async

LATE_AND_WINDY = {
    "all": [{"field": "dep_delay", "op": ">", "value": 30}, {"field": "wind_speed", "op": ">", "value": 20}]
}
LATE_AT_ALL = {"field": "dep_delay", "op": ">=", "value": 15.5}
OF_MANY_KINDS = {
    "any": [
        {"all": [{"field": "origin", "op": "in", "value": ["EWR", "LGA"]}, LATE_AT_ALL]},
        {"not": {"any": [{"field": "visib", "op": ">=", "value": 3}, {"field": "carrier", "op": "==", "value": "B6"}]}},
        {"field": "wind_gust", "op": "missing", "value": False},
    ]
}
MONTHS = [date(2013, month, 1) for month in range(1, 13)]


def late_and_windy(flight, hour):
    return above(flight["dep_delay"], 30) and above(hour.get("wind_speed"), 20)


def of_many_kinds(flight, hour):
    visible = hour.get("visib") is not None and float(hour["visib"]) >= 3
    return (
        (flight["origin"] in {"EWR", "LGA"} and above(flight["dep_delay"], 15))
        or not (visible or flight["carrier"] == "B6")
        or hour.get("wind_gust") is not None
    )


def above(text, limit):
    return text is not None and float(text) > limit


def processor(report=lambda *_: None):
    return BacktestProcessor(get_task_session, report)


def run(job_id, filter_id, report=lambda *_: None):
    return run_async(processor(report).run(job_id, filter_id))


def make_filter(when, *, name="windy", late_minutes=30):
    return run_async(processor().save_filter(name, Rule(when=when, late_minutes=late_minutes)))


def fail_after(month):
    def report(_done, _total, name):
        if name == month:
            raise RuntimeError("killed")

    return report


@pytest.fixture
def filter_id(database):
    return make_filter(LATE_AND_WINDY)


@pytest.mark.parametrize(
    ("when", "late_minutes", "picks"),
    [(LATE_AND_WINDY, 30, late_and_windy), (OF_MANY_KINDS, 45, of_many_kinds)],
    ids=["late and windy", "of many kinds"],
)
def test_each_month_is_what_the_files_say(database, query, flights, weather, when, late_minutes, picks):
    hours = {(row["origin"], row["time_hour"]): row for row in weather}
    counted = Counter(
        (
            int(row["month"]),
            bool(picks(row, hours.get((row["origin"], row["time_hour"]), {}))),
            int(row["arr_delay"]) >= late_minutes,
        )
        for row in flights
        if row["arr_delay"] is not None
    )
    filter_id = make_filter(when, late_minutes=late_minutes)
    report = run(uuid4(), filter_id)
    assert [(m.month, m.hits, m.misses, m.false_alarms) for m in report.months] == [
        (month, counted[n, True, True], counted[n, False, True], counted[n, True, False])
        for n, month in enumerate(MONTHS, 1)
    ]
    for score in [*report.months, report.overall]:
        assert 0 < score.hits < score.hits + score.misses
        assert score.precision == score.hits / (score.hits + score.false_alarms)
        assert score.recall == score.hits / (score.hits + score.misses)
    stored = query("SELECT month, hits, misses, false_alarms, precision, recall FROM backtest_results ORDER BY month")
    assert stored == [(m.month, m.hits, m.misses, m.false_alarms, m.precision, m.recall) for m in report.months]


def test_the_job_says_how_far_it_is_and_how_it_ended(filter_id, query):
    seen, job_id = [], uuid4()

    def look(*progress):
        seen.append((*progress, *query("SELECT position, total, state FROM jobs")[0]))

    report = run(job_id, filter_id, look)
    states = ["running"] * 11 + ["succeeded"]
    assert seen == [(n, 12, f"2013-{n:02}", n, 12, state) for n, state in enumerate(states, 1)]
    assert (report.job_id, report.filter_id, report.state) == (job_id, filter_id, JobState.SUCCEEDED)
    assert query("SELECT id, kind, error FROM jobs") == [(job_id, "backtest", None)]


def test_a_killed_run_goes_on_with_the_next_month(filter_id, query):
    job_id, told = uuid4(), []
    with pytest.raises(RuntimeError, match="killed"):
        run(job_id, filter_id, fail_after("2013-05"))
    query_times = "SELECT month, updated_at FROM backtest_results ORDER BY month"
    before = query(query_times)
    assert query("SELECT position, state FROM jobs") == [(5, "running")]
    report = run(job_id, filter_id, lambda *progress: told.append(progress[2]))
    assert told == [f"2013-{month:02}" for month in range(6, 13)]
    assert query(query_times)[:5] == before
    assert (report.resumed_at, report.state) == (5, JobState.SUCCEEDED)
    whole = run(uuid4(), filter_id)
    assert (whole.months, whole.overall, whole.resumed_at) == (report.months, report.overall, 0)


def test_a_month_whose_result_cannot_be_written_is_not_taken_for_done(filter_id, database, query):
    job_id = uuid4()
    with database.connect() as connection:
        connection.execute("ALTER TABLE backtest_results ADD CONSTRAINT no_june CHECK (month <> '2013-06-01')")
        with pytest.raises(IntegrityError, match="no_june"):
            run(job_id, filter_id)
        connection.execute("ALTER TABLE backtest_results DROP CONSTRAINT no_june")
    assert query("SELECT position, state FROM jobs") == [(5, "running")]
    report = run(job_id, filter_id)
    assert (report.resumed_at, [m.month for m in report.months]) == (5, MONTHS)


def test_two_deliveries_of_one_job_share_its_months(filter_id):
    job_id, told = uuid4(), []
    both = processor(lambda *progress: told.append(progress[2]))

    async def at_once():
        return await asyncio.gather(both.run(job_id, filter_id), both.run(job_id, filter_id))

    reports = run_async(at_once())
    assert told == [f"2013-{month:02}" for month in range(1, 13)]
    assert [[month.month for month in report.months] for report in reports] == [MONTHS, MONTHS]


def test_a_finished_job_is_reported_again_and_not_run(filter_id):
    job_id, told = uuid4(), []
    first = run(job_id, filter_id)
    again = run(job_id, filter_id, lambda *progress: told.append(progress))
    assert (again.months, again.overall, again.resumed_at, told) == (first.months, first.overall, 12, [])


def test_cancelling_ends_the_run_before_its_next_month(filter_id, query):
    job_id = uuid4()

    def cancel_in_may(_done, _total, month):
        if month == "2013-05":
            query("UPDATE jobs SET state = 'cancelled' WHERE id = %s RETURNING 1", job_id)

    report = run(job_id, filter_id, cancel_in_may)
    assert (report.state, [m.month for m in report.months]) == (JobState.CANCELLED, MONTHS[:5])
    assert query("SELECT position, state FROM jobs") == [(5, "cancelled")]
    assert query("SELECT count(*) FROM backtest_results") == [(5,)]
    assert run(job_id, filter_id).state is JobState.CANCELLED
    assert query("SELECT count(*) FROM backtest_results") == [(5,)]


def test_a_job_that_is_cancelled_before_it_begins_does_not_begin(filter_id, query):
    job_id = uuid4()
    assert run_async(processor().cancel(job_id)).state is JobState.CANCELLED
    report = run(job_id, filter_id)
    assert (report.state, report.months) == (JobState.CANCELLED, [])
    assert query("SELECT count(*) FROM backtest_results") == [(0,)]


def test_a_job_that_is_over_cannot_be_cancelled(filter_id):
    job_id = uuid4()
    run(job_id, filter_id)
    assert run_async(processor().cancel(job_id)).state is JobState.SUCCEEDED


def test_a_job_that_the_caller_has_made_is_taken(filter_id, query):
    job_id = uuid4()
    query("INSERT INTO jobs (id, kind, payload) VALUES (%s, 'backtest', '{\"asked_by\": 7}') RETURNING 1", job_id)
    assert run(job_id, filter_id).state is JobState.SUCCEEDED
    assert query("SELECT payload -> 'asked_by' FROM jobs") == [(7,)]


def test_the_job_of_other_work_is_left_alone(filter_id, query):
    job_id = uuid4()
    query("INSERT INTO jobs (id, kind, payload) VALUES (%s, 'etl', '{}') RETURNING 1", job_id)
    for attempt in (processor().run(job_id, filter_id), processor().cancel(job_id)):
        with pytest.raises(WrongJob, match="of kind etl"):
            run_async(attempt)
    assert query("SELECT state, position FROM jobs") == [("pending", 0)]


def test_the_job_of_another_filter_is_left_alone(filter_id):
    job_id = uuid4()
    run(job_id, filter_id)
    with pytest.raises(WrongJob, match=f"tests filter {filter_id}"):
        run(job_id, make_filter(LATE_AT_ALL, name="late"))


def test_a_failed_job_goes_on_when_it_is_sent_again(filter_id, query):
    job_id = uuid4()
    with pytest.raises(RuntimeError):
        run(job_id, filter_id, fail_after("2013-11"))
    run_async(processor().fail(job_id, "killed"))
    assert query("SELECT state, error, position FROM jobs") == [("failed", "killed", 11)]
    assert run(job_id, filter_id).resumed_at == 11
    assert query("SELECT state, error, position FROM jobs") == [("succeeded", None, 12)]


def test_a_filter_keeps_its_id_and_loses_its_results_with_another_rule(filter_id, query):
    run(uuid4(), filter_id)
    assert make_filter(LATE_AND_WINDY) == filter_id
    assert query("SELECT count(*) FROM backtest_results") == [(12,)]
    assert make_filter(LATE_AT_ALL) == filter_id
    assert query("SELECT count(*) FROM backtest_results") == [(0,)]
    assert query("SELECT id, name, rule FROM backtest_filters") == [
        (filter_id, "windy", {"when": LATE_AT_ALL, "late_minutes": 30})
    ]


def test_a_rule_that_changes_during_the_run_ends_it(filter_id, query):
    def change_in_may(_done, _total, month):
        if month == "2013-05":
            query("UPDATE backtest_filters SET rule = '{}' RETURNING 1")

    with pytest.raises(PermanentError, match="was changed during its backtest"):
        run(uuid4(), filter_id, change_in_may)


def test_a_filter_that_is_not_there(database):
    with pytest.raises(PermanentError, match=r"there is no filter .*create_filter makes one"):
        run(uuid4(), uuid4())


def test_a_stored_rule_that_is_none_says_what_is_allowed(database, query):
    [(filter_id,)] = query(
        "INSERT INTO backtest_filters (id, name, rule) VALUES (gen_random_uuid(), 'x',"
        ' \'{"field": "arr_delay", "op": "~", "value": 1}\') RETURNING id'
    )
    with pytest.raises(PermanentError, match=r"the filter's rule is wrong.*'dep_delay', .*'wind_speed'.*'missing'"):
        run(uuid4(), filter_id)


def test_a_stored_rule_without_minutes_has_30(database, query):
    stored = '{"field": "dep_delay", "op": ">=", "value": 15.5}'
    [(bare,)] = query(
        "INSERT INTO backtest_filters (id, name, rule) VALUES (gen_random_uuid(), 'x', %s) RETURNING id", stored
    )
    assert run(uuid4(), bare).overall == run(uuid4(), make_filter(LATE_AT_ALL, late_minutes=30)).overall


def test_without_flights_there_is_nothing_to_test_on(empty):
    with pytest.raises(PermanentError, match="there are no flights to test on: load them first"):
        run(uuid4(), make_filter(LATE_AT_ALL))


FLIGHT = (
    "INSERT INTO flights (time_hour, carrier, flight, origin, dest, day, sched_dep_time, sched_arr_time, distance,"
    " dep_delay, arr_delay) VALUES ('2013-05-02T12:00Z', 'AA', %s, 'JFK', 'LAX', %s, 800, 1000, 500, %s, %s)"
)


def test_months_without_flights_have_neither_precision_nor_recall_and_results_of_gone_months_go(empty):
    with empty.connect() as connection:
        connection.execute(FLIGHT, [1, date(2012, 11, 30), 60, 60])
        connection.execute(FLIGHT, [2, date(2013, 1, 1), 60, 60])
        filter_id = make_filter(LATE_AT_ALL)
        assert [(m.month, m.hits, m.precision, m.recall) for m in run(uuid4(), filter_id).months] == [
            (date(2012, 11, 1), 1, 1, 1),
            (date(2012, 12, 1), 0, None, None),
            (date(2013, 1, 1), 1, 1, 1),
        ]
        connection.execute("DELETE FROM flights WHERE flight = 1")
        run(uuid4(), filter_id)
        assert connection.execute("SELECT month FROM backtest_results").fetchall() == [(date(2013, 1, 1),)]


@pytest.mark.parametrize(("op", "value", "picked"), [(">", 30.5, 1), (">=", 30.5, 1), ("<", 1e300, 2), ("==", 30, 1)])
def test_a_number_is_compared_as_it_is_and_not_as_a_whole_number_of_the_columns_size(empty, op, value, picked):
    with empty.connect() as connection:
        for flight, delay in enumerate((30, 31, None)):
            connection.execute(FLIGHT, [flight, date(2013, 5, 2), delay, 60])
    [month] = run(uuid4(), make_filter({"field": "dep_delay", "op": op, "value": value})).months
    assert (month.hits, month.misses) == (picked, 3 - picked)
