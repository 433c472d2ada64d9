"""Rows as they really are go into each table and come back; a key is taken only once; nonsense is refused."""

from datetime import UTC, date, datetime, timedelta, timezone
from uuid import uuid4

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError, ProgrammingError, StatementError
from sqlalchemy.orm import Session

from datastore.base import Base
from datastore.effects import Effect, OutboxCall
from datastore.filters import BacktestFilter, BacktestResult
from datastore.flights import Airline, Airport, Flight, Plane, Weather
from datastore.jobs import Job, JobState, RejectedRow
from datastore.logs import LogEntry
from datastore.schema import metadata
from datastore.statistics import DailyStatistic, StatisticKind
from datastore.users import User

HOUR = datetime(2013, 1, 1, 10, tzinfo=UTC)
JOB = uuid4()
FILTER = uuid4()


def flight(**changes) -> Flight:
    row = {
        "time_hour": HOUR, "carrier": "UA", "flight": 1545, "origin": "EWR", "dest": "IAH", "day": date(2013, 1, 1),
        "tailnum": "N14228", "sched_dep_time": 515, "dep_time": 517, "dep_delay": 2, "sched_arr_time": 819,
        "arr_time": 830, "arr_delay": 11, "air_time": 227, "distance": 1400,
    }  # fmt: skip
    return Flight(**{**row, **changes})


def cancelled_flight() -> Flight:
    unknown = ["tailnum", "dep_time", "dep_delay", "arr_time", "arr_delay", "air_time"]
    return flight(flight=1, **dict.fromkeys(unknown))


def airport() -> Airport:
    fields = {"lat": 19.721375, "lon": -155.048469, "alt": -54, "tz": -10, "dst": "N", "tzone": None}
    return Airport(faa="ITO", name="Hilo International Airport", **fields)


def plane() -> Plane:
    fields = {"manufacturer": "AIRBUS", "model": "A320-214", "engines": 2, "seats": 182, "engine": "Turbo-fan"}
    return Plane(tailnum="N102UW", year=None, type="Fixed wing multi engine", speed=None, **fields)


def weather() -> Weather:
    unknown = dict.fromkeys(["temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "pressure"])
    return Weather(origin="EWR", time_hour=HOUR, precip=0.0, visib=10.0, **unknown)


def job(**changes) -> Job:
    return Job(**{"id": JOB, "kind": "ingest", "payload": {"source": "flights.csv", "größe": 1}, **changes})


def rejected() -> RejectedRow:
    return RejectedRow(job_id=JOB, source="flights.csv", line=7, reason="no UTF-8", raw=b"2013,\xff\x00,\n")


def statistic(**changes) -> DailyStatistic:
    row = {"day": date(2013, 1, 1), "kind": StatisticKind.ROUTE, "key": "EWR-IAH", "flights": 3, "measured": 2}
    delays = {"mean_delay": -1.5, "median_delay": -1.5, "p90_delay": 4.0}
    return DailyStatistic(**{**row, "cancelled": 1, **delays, **changes})


def all_cancelled() -> DailyStatistic:
    unknown = dict.fromkeys(["mean_delay", "median_delay", "p90_delay"])
    return statistic(key="JFK-PSE", flights=1, measured=0, cancelled=1, **unknown)


def backtest_filter() -> BacktestFilter:
    return BacktestFilter(id=FILTER, name="evening storms", rule={"hour": {"from": 17}, "wind_gust": {"from": 30}})


def result(**changes) -> BacktestResult:
    row = {"filter_id": FILTER, "month": date(2013, 2, 1), "hits": 0, "misses": 4, "false_alarms": 0, "recall": 0.0}
    return BacktestResult(**{**row, **changes})


def user(**changes) -> User:
    return User(**{"email": "ada@example.com", "name": "Ada", **changes})


def effect() -> Effect:
    return Effect(key="invoice:42")


def outbox_call() -> OutboxCall:
    return OutboxCall(id=JOB, name="app.tasks.demo.mark", payload={"name": "a \0 is JSON, too"}, queue="demo")


def log_entry(**changes) -> LogEntry:
    return LogEntry(**{"service": "etl", "level": "info", "event": "loaded", **changes})


MAKERS = [
    lambda: Airline(carrier="9E", name="Endeavor Air Inc."),
    airport, plane, weather, flight, job, rejected, statistic, backtest_filter, result, user, effect, outbox_call,
]  # fmt: skip


def fill(session: Session, *rows: Base) -> None:
    session.add_all(rows)
    session.commit()
    session.expunge_all()


def test_each_table_takes_a_row_and_refuses_its_key_a_second_time(session: Session):
    fill(session, log_entry(), *[make() for make in MAKERS])
    for table in metadata.sorted_tables:
        assert session.scalar(select(func.count()).select_from(table)) == 1, table.name
    session.commit()
    for make in MAKERS:
        session.add(make())
        with pytest.raises(IntegrityError, match="duplicate key"):
            session.flush()
        session.rollback()


def test_what_is_not_known_comes_back_as_none(session: Session):
    fill(
        session, cancelled_flight(), all_cancelled(), airport(), plane(), weather(), backtest_filter(), result(), job()
    )
    gone = session.scalars(select(Flight)).one()
    assert (gone.tailnum, gone.dep_time, gone.dep_delay, gone.arr_delay) == (None, None, None, None)
    assert session.scalars(select(Weather)).one().wind_gust is None
    assert session.scalars(select(DailyStatistic)).one().median_delay is None
    assert session.scalars(select(BacktestResult)).one().precision is None
    assert session.scalar(text("SELECT result IS NULL FROM jobs"))  # and not the null of JSON


def test_a_time_comes_back_as_the_same_moment_and_one_without_a_zone_is_never_in_utc_by_chance(session: Session):
    fill(session, flight(time_hour=datetime(2013, 1, 1, 5, tzinfo=timezone(timedelta(hours=-5)))))
    found = session.scalars(select(Flight)).one().time_hour
    assert found == HOUR
    assert found.tzinfo is not None
    zoned = "SELECT count(*) FROM information_schema.columns WHERE data_type = 'timestamp without time zone'"
    assert session.scalar(text(f"{zoned} AND table_schema = 'public'")) == 0


def test_a_job_starts_pending_goes_on_and_ends(session: Session):
    fill(session, job())
    found = session.get_one(Job, JOB)
    assert (found.state, found.position, found.total, found.result) == (JobState.PENDING, 0, None, None)
    assert found.payload == {"source": "flights.csv", "größe": 1}
    before = found.updated_at
    found.state, found.position, found.total = JobState.SUCCEEDED, 336_776, 336_776
    found.result = {"rows": 336_776}
    session.commit()
    assert session.scalar(text("SELECT state FROM jobs")) == "succeeded"
    assert found.updated_at > before >= found.created_at


def test_a_rejected_row_keeps_its_bytes_and_goes_with_its_job(session: Session):
    fill(session, job(), rejected())
    assert session.scalars(select(RejectedRow)).one().raw == b"2013,\xff\x00,\n"
    session.delete(session.get_one(Job, JOB))
    session.commit()
    assert session.scalar(select(func.count()).select_from(RejectedRow)) == 0


def test_a_day_computed_again_replaces_its_statistics(session: Session):
    fill(session, statistic())
    row = {c.key: getattr(statistic(flights=9), c.key) for c in DailyStatistic.__table__.c if c.key[-3:] != "_at"}
    upsert = insert(DailyStatistic).values(row)
    keys = [column.name for column in DailyStatistic.__table__.primary_key]
    session.execute(upsert.on_conflict_do_update(index_elements=keys, set_={"flights": upsert.excluded.flights}))
    assert session.scalars(select(DailyStatistic)).one().flights == 9


def test_a_user_is_active_and_was_never_seen_until_something_else_is_known(session: Session):
    fill(session, user(), user(email="bob@example.com", active=False, last_seen_at=HOUR))
    ada, bob = session.scalars(select(User).order_by(User.id)).all()
    assert (ada.active, ada.last_seen_at) == (True, None)
    assert (bob.active, bob.last_seen_at) == (False, HOUR)
    assert ada.id < bob.id
    session.execute(text("INSERT INTO users (email, name) VALUES ('eve@example.com', 'Eve')"))
    assert session.scalars(select(User.active).where(User.name == "Eve")).one() is True


def test_a_log_entry_needs_no_job_and_outlives_the_one_it_has(session: Session):
    fill(session, job(), log_entry(job_id=JOB, details={"rows": 3}), log_entry())
    session.delete(session.get_one(Job, JOB))
    session.execute(text("INSERT INTO log_entries (service, level, event) VALUES ('email', 'error', 'refused')"))
    session.commit()
    entries = session.scalars(select(LogEntry).order_by(LogEntry.id)).all()
    assert [(entry.job_id, entry.details) for entry in entries] == [(JOB, {"rows": 3}), (None, {}), (None, {})]
    assert all(entry.created_at.tzinfo for entry in entries)


@pytest.mark.parametrize("make", [user, log_entry])
def test_the_database_alone_gives_the_numbers(session: Session, make):
    session.add(make(id=1))
    with pytest.raises(ProgrammingError, match="GENERATED ALWAYS"):
        session.flush()


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: job(position=2, total=1),
        lambda: statistic(measured=3),
        lambda: statistic(p90_delay=None),
        lambda: result(month=date(2013, 2, 2)),
        lambda: result(recall=1.1),
        lambda: RejectedRow(job_id=uuid4(), source="x", line=1, reason="", raw=b""),
    ],
)
def test_nonsense_is_refused(session: Session, wrong):
    fill(session, backtest_filter())
    session.add(wrong())
    with pytest.raises(IntegrityError):
        session.flush()


def test_an_unknown_state_is_refused_by_the_model_and_by_the_database(session: Session):
    session.add(job(state="lost"))
    with pytest.raises(StatementError, match="lost"):
        session.flush()
    session.rollback()
    fill(session, job())
    with pytest.raises(IntegrityError, match="ck_jobs_state"):
        session.execute(text("UPDATE jobs SET state = 'lost'"))
