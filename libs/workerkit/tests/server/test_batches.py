"""Batches on a real PostgreSQL."""

from datetime import date
from itertools import pairwise

import pytest
from sqlalchemy import event, func, insert, select, true
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from workerkit.batches import delete_in_batches, in_batches
from workerkit.database import _sync_engine, configure, dispose, get_sync_db


class Base(DeclarativeBase):
    pass


class Reading(Base):
    __tablename__ = "reading"
    station: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    value: Mapped[int]
    note: Mapped[str | None]


KEY = (Reading.station, Reading.day)


@pytest.fixture
def session(postgres):
    configure(postgres.url, application_name="here")
    with get_sync_db() as opened:
        Base.metadata.create_all(opened.connection())
        opened.commit()
        yield opened
    dispose()


def add(session, number, station="a", year=2020):
    """Readings of some stations in turn, in an order that is not that of the key."""
    rows = [
        {"station": station * (1 + n % 3), "day": date.fromordinal(date(year, 1, 1).toordinal() + n), "value": n}
        for n in reversed(range(number))
    ]
    if rows:
        session.execute(insert(Reading), rows)
    session.commit()


def count(session):
    return session.scalar(select(func.count()).select_from(Reading))


@pytest.mark.parametrize(("rows", "sizes"), [(0, []), (1, [1]), (10, [10]), (11, [10, 1]), (25, [10, 10, 5])])
def test_every_row_comes_once_in_the_order_of_the_key(session, rows, sizes):
    add(session, rows)
    batches = list(in_batches(session, select(Reading.station, Reading.day, Reading.value), KEY, size=10))
    read = [row for batch in batches for row in batch]
    assert [len(batch) for batch in batches] == sizes
    assert read == session.execute(select(Reading.station, Reading.day, Reading.value).order_by(*KEY)).all()
    assert all(before[:2] < after[:2] for before, after in pairwise(read))


def test_rows_are_as_selected_whether_the_key_is_among_them_or_not(session):
    add(session, 3)
    (values,) = in_batches(session, select(Reading.value.label("celsius")).where(Reading.value > 0), KEY)
    assert [(row.celsius, tuple(row)) for row in values] == [(1, (1,)), (2, (2,))]
    (objects,) = in_batches(session, select(Reading), KEY)
    assert [reading.value for (reading,) in objects] == [0, 1, 2]


def test_the_statement_s_own_order_does_not_disturb(session):
    add(session, 5)
    rows = [row for batch in in_batches(session, select(Reading.day).order_by(Reading.value), KEY, 2) for row in batch]
    assert rows == session.execute(select(Reading.day).order_by(*KEY)).all()


def test_rows_that_come_and_go_meanwhile_shift_nothing(session):
    add(session, 30, station="m")
    before = set(session.scalars(select(Reading.value)))
    seen = []
    for number, batch in enumerate(in_batches(session, select(Reading.station, Reading.value), KEY, size=4)):
        seen += [tuple(row) for row in batch]
        with get_sync_db() as other:
            add(other, 1, station="a", year=2030 + number)  # before the place where it reads: not seen
            add(other, 1, station="z", year=2030 + number)  # behind it
            other.query(Reading).filter_by(station="a", day=date(2030, 1, 1)).delete()
        if number == 20:
            break
    assert {value for station, value in seen if station[0] == "m"} == before
    assert len([1 for station, _ in seen if station[0] == "m"]) == 30
    assert {station[0] for station, _ in seen} == {"m", "z"}


def test_no_batch_is_found_by_skipping_and_each_reads_only_itself(session):
    add(session, 25)
    statements = []
    event.listen(_sync_engine(), "before_cursor_execute", lambda *call: statements.append(call[2]))
    list(in_batches(session, select(Reading.value), KEY, size=10))
    assert len(statements) == 3
    assert not any("OFFSET" in statement for statement in statements)
    assert all("LIMIT" in statement for statement in statements)


def test_a_transaction_may_end_between_two_batches(session):
    add(session, 25)
    read = 0
    for batch in in_batches(session, select(Reading), KEY, size=10):
        for (reading,) in batch:
            reading.note = "seen"
        read += len(batch)
        session.commit()
    assert read == session.scalar(select(func.count()).where(Reading.note == "seen")) == 25


@pytest.mark.parametrize(
    ("key", "size", "problem"),
    [((), 10, "it has no columns"), ((Reading.note,), 10, "Reading.note may be NULL"), (KEY, 0, "at least one row")],
)
def test_a_key_that_would_lose_rows_is_refused(session, key, size, problem):
    with pytest.raises(ValueError, match=problem):
        next(in_batches(session, select(Reading), key, size))


@pytest.mark.parametrize("rows", [0, 1, 10, 11, 25])
def test_all_rows_that_fit_are_deleted_and_counted(session, rows):
    add(session, rows)
    assert delete_in_batches(session, Reading, true(), size=10) == rows
    assert count(session) == 0


def test_rows_that_do_not_fit_stay_and_all_conditions_count(session):
    add(session, 100)
    assert delete_in_batches(session, Reading, Reading.value % 2 == 0, Reading.station == "aa", size=3) == 16
    assert count(session) == 84
    assert session.scalar(select(func.count()).where(Reading.value % 2 == 0, Reading.station == "aa")) == 0


def test_each_batch_is_a_transaction_and_what_is_done_stays_done(session):
    add(session, 25)
    left = []

    def stop(statement):
        if statement.is_delete:
            with get_sync_db() as other:
                left.append(count(other))
            if len(left) == 3:
                raise KeyboardInterrupt

    event.listen(session, "do_orm_execute", stop)
    with pytest.raises(KeyboardInterrupt):
        delete_in_batches(session, Reading, true(), size=10)
    event.remove(session, "do_orm_execute", stop)
    session.rollback()
    assert left == [25, 15, 5]
    assert delete_in_batches(session, Reading, true(), size=10) == 5


def test_a_row_that_fits_no_longer_is_kept(session):
    add(session, 10)

    def change(statement):
        if statement.is_delete:
            with get_sync_db() as other:
                other.query(Reading).filter_by(value=5).update({"note": "keep"})

    event.listen(session, "do_orm_execute", change)
    assert delete_in_batches(session, Reading, Reading.note.is_(None)) == 9
    assert session.scalars(select(Reading.value)).all() == [5]


def test_a_delete_without_a_condition_is_refused(session):
    with pytest.raises(ValueError, match="needs a condition"):
        delete_in_batches(session, Reading)
