"""Files of flights into PostgreSQL: all formats, corrupt sources, repetition, and runs that break off."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from psycopg import sql
from sqlalchemy import make_url
from tests.server.files import TEXTS, WRITERS, as_csv, as_parquet, as_zip

from app.processors.etl_processor import job_id_of
from datastore.migrator import Migrator
from devstack.sample_data import SAMPLE_DATA
from workerkit.database import configure, dispose
from workerkit.errors import PermanentError, TransientError


class Killed(BaseException):
    """Stands for the end of the process in the middle of a load."""


def after(batches):
    """A report that ends the run after some batches."""
    calls = []

    def report(*_):
        calls.append(1)
        if len(calls) == batches:
            raise Killed

    return report


def one(database, query, *values):
    return database.execute(query, values).fetchone()


def table(database):
    return database.execute("SELECT * FROM flights ORDER BY time_hour, carrier, flight, origin").fetchall()


def staging(database):
    return database.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'etl_staging'").fetchall()


def job(database):
    return one(database, "SELECT state, position, error FROM jobs")


@pytest.mark.parametrize("kind", WRITERS)
def test_all_formats_give_the_same_table(load, put, database, some_flights, kind):
    report = load(put(f"flights.{kind}", WRITERS[kind](some_flights)))
    assert (report.read, report.loaded, report.changed, report.rejected) == (2000, 2000, 2000, 0)
    expected = sorted((row["time_hour"], row["carrier"], int(row["flight"]), row["origin"]) for row in some_flights)
    found = database.execute(
        """SELECT to_char(time_hour AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), carrier, flight, origin,
        dest, day::text, tailnum, sched_dep_time, dep_time, dep_delay, sched_arr_time, arr_time, arr_delay, air_time,
        distance FROM flights"""
    ).fetchall()
    assert sorted(row[:4] for row in found) == expected
    assert Counter(map(repr, found)) == Counter(repr(as_table(row)) for row in some_flights)
    assert (job(database)[0], staging(database)) == ("succeeded", [])


def as_table(row):
    """A row of the file as the table must have it, by other means than the worker's."""

    def whole(name):
        return None if row[name] == "NA" else int(row[name])

    names = ["sched_dep_time", "dep_time", "dep_delay", "sched_arr_time", "arr_time", "arr_delay"]
    day = f"{int(row['year']):04}-{int(row['month']):02}-{int(row['day']):02}"
    tail = None if row["tailnum"] == "NA" else row["tailnum"]
    key = (row["time_hour"], row["carrier"], int(row["flight"]), row["origin"])
    return (*key, row["dest"], day, tail, *map(whole, [*names, "air_time", "distance"]))


@pytest.mark.parametrize("name", ["airlines", "airports", "planes", "weather"])
def test_the_published_reference_files_load_without_a_reject(load, put, database, name):
    content = (SAMPLE_DATA / f"{name}.csv").read_bytes()
    report = load(put(f"{name}.csv", content, source=name), batch_rows=5_000)
    assert (report.rejected, report.loaded) == (0, len(content.splitlines()) - 1)
    assert one(database, sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(name))) == (report.loaded,)


def test_the_whole_file_has_the_counts_and_means_that_csv_and_zipfile_give(
    load, put, database, flights_file, all_flights
):
    report = load(put("flights.csv.zip", flights_file), batch_rows=10_000)
    delays = [int(row["arr_delay"]) for row in all_flights if row["arr_delay"] != "NA"]
    distance = sum(int(row["distance"]) for row in all_flights)
    cancelled = sum(row["dep_time"] == "NA" for row in all_flights)
    by_day = Counter(f"2013-{int(row['month']):02}-{int(row['day']):02}" for row in all_flights)
    assert (report.read, report.loaded, report.rejected) == (len(all_flights), len(all_flights), 0)
    query = """SELECT count(*), count(arr_delay), avg(arr_delay)::float, sum(distance),
        count(*) FILTER (WHERE dep_time IS NULL) FROM flights"""
    mean = pytest.approx(sum(delays) / len(delays), rel=1e-12)
    assert one(database, query) == (len(all_flights), len(delays), mean, distance, cancelled)
    assert dict(database.execute("SELECT day::text, count(*) FROM flights GROUP BY day").fetchall()) == by_day


def broken(rows, every):
    """The same rows as CSV, each one of `every` in a way of its own broken."""
    lines = as_csv(rows).splitlines()
    ways = [
        lambda line: line + b",more",
        lambda line: line.replace(b",", b",x", 5),
        lambda line: b",".join(b"\xff" if part in {b"EWR", b"JFK", b"LGA"} else part for part in line.split(b",")),
        lambda line: line.rpartition(b",")[0] + b",2013-01-01",
    ]
    bad = range(every, len(lines), every)
    for count, index in enumerate(bad):
        lines[index] = ways[count % len(ways)](lines[index])
    return b"\n".join(lines), {index + 1: lines[index] for index in bad}


def test_of_a_file_with_5_percent_broken_rows_all_others_are_loaded(load, put, database, some_flights):
    content, bad = broken(some_flights, 20)
    report = load(put("flights.csv", content))
    assert (report.read, report.loaded, report.rejected) == (2000, 1900, 100)
    assert len(table(database)) == 1900
    rejected = database.execute("SELECT line, raw, reason FROM rejected_rows").fetchall()
    assert {line: bytes(raw) for line, raw, _ in rejected} == bad
    assert all(reason for *_, reason in rejected)


NOT_LOADED = {
    "wrong columns": ("flights.csv", lambda _: as_csv([{"a": "1", "b": "2"}]), "missing: time_hour, carrier"),
    "wrong encoding": ("flights.csv", lambda rows: as_csv(rows).decode().encode("utf-16"), "these are not the columns"),
    "truncated zip": ("flights.zip", lambda rows: as_zip(rows)[:-500], "damaged zip"),
    "not a zip": ("flights.zip", as_csv, "looks like CSV"),
    "50 % broken": (
        "flights.csv",
        lambda rows: broken(rows, 2)[0],
        "1,000 of 2,000 rows are broken.*ETL_MAX_REJECTED_SHARE",
    ),
    "empty": ("flights.csv", lambda _: b"", "is empty"),
    "Parquet of wrong types": (
        "flights.parquet",
        lambda rows: as_parquet(rows, texts=TEXTS | {"distance"}),
        "wrong types: distance holds text, not whole number",
    ),
    "all rows twice": ("flights.csv", lambda rows: as_csv([*rows, *rows]), "2,000 of 4,000 rows are broken"),
    "zip bomb": ("flights.zip", lambda rows: as_zip(rows[:1] * 30_000), "ETL_MAX_COMPRESSION_RATIO"),
    "damaged in the middle": ("flights.zip", lambda rows: damaged(as_zip(rows)), "damaged zip"),
}


def damaged(content):
    middle = len(content) * 3 // 4
    return content[:middle] + bytes(200) + content[middle + 200 :]


@pytest.mark.parametrize("case", NOT_LOADED)
def test_of_a_corrupt_file_nothing_is_loaded(load, put, database, some_flights, case):
    load(put("before.csv", as_csv(some_flights[:10])))
    before = table(database)
    name, write, reason = NOT_LOADED[case]
    reference = put(name, write(some_flights))
    with pytest.raises(PermanentError, match=reason) as failure:
        load(reference)
    query = "SELECT state, error FROM jobs WHERE id = %s"
    assert one(database, query, job_id_of(reference)) == ("failed", str(failure.value))
    assert (table(database), staging(database)) == (before, [])


def test_a_file_with_nothing_but_a_header_loads_nothing(load, put, some_flights):
    report = load(put("flights.csv", as_csv(some_flights[:1]).splitlines()[0] + b"\n"))
    assert (report.read, report.loaded, report.rejected) == (0, 0, 0)


def test_of_rows_with_the_same_key_the_first_one_counts(load, put, database, some_flights):
    again = [row | {"dest": "XXX"} for row in some_flights[5:105]]
    lines = as_csv([*some_flights, *again]).splitlines()
    report = load(put("flights.csv", b"\n".join(lines)))
    assert (report.read, report.loaded, report.rejected) == (2100, 2000, 100)
    assert one(database, "SELECT count(*) FROM flights WHERE dest = 'XXX'") == (0,)
    rejected = database.execute("SELECT line, reason, raw FROM rejected_rows ORDER BY line").fetchall()
    expected = [(line, f"has the key of line {line - 1995}", lines[line - 1]) for line in range(2002, 2102)]
    assert rejected == expected


def test_a_changed_file_updates_the_rows_that_changed_and_adds_new_ones(load, put, database, some_flights):
    load(put("first.csv", as_csv(some_flights[:1000])))
    changed = [row | {"dest": "XXX"} if index % 100 == 0 else row for index, row in enumerate(some_flights)]
    report = load(put("second.csv", as_csv(changed)))
    assert (report.loaded, report.changed) == (2000, 1010)
    assert one(database, "SELECT count(*), count(*) FILTER (WHERE dest = 'XXX') FROM flights") == (2000, 20)


def test_the_same_file_again_gives_the_stored_report_and_reads_nothing(load, put, storage, some_flights):
    reference = put("flights.csv", as_csv(some_flights))
    first = load(reference)
    storage.delete(reference.path)
    assert load(reference) == first


def test_a_file_is_loaded_again_if_another_one_came_after_it(load, put, database, some_flights):
    old, new = put("old.csv", as_csv(some_flights)), put("new.csv", as_csv([r | {"dest": "XXX"} for r in some_flights]))
    load(old)
    before = table(database)
    load(new)
    report = load(old)
    assert (report.changed, table(database)) == (2000, before)


def test_a_job_with_an_id_of_its_own(processor, put, database, some_flights):
    reference, job_id = put("flights.csv", as_csv(some_flights)), uuid4()
    first = processor().run(job_id, reference, lambda *_: None)
    load_again = processor().run(job_id, reference, lambda *_: None)
    assert (first, first.job_id) == (load_again, job_id)
    with pytest.raises(PermanentError, match="job of another file"):
        processor().run(job_id, put("more.csv", as_csv(some_flights[:5])), lambda *_: None)
    assert processor().run(uuid4(), reference, lambda *_: None).changed == 0


@pytest.mark.parametrize("kind", WRITERS)
def test_a_run_that_breaks_off_is_continued(load, put, database, some_flights, kind):
    rows = [*some_flights[:500], some_flights[500] | {"flight": "-7"}, *some_flights[501:]]
    reference = put(f"flights.{kind}", WRITERS[kind](rows))
    with pytest.raises(Killed):
        load(reference, after(4))
    assert (table(database), job(database)[0]) == ([], "running")
    position = job(database)[1]
    report = load(reference)
    assert report.resumed_at == position > 1000
    assert (report.read, report.loaded, report.rejected) == (2000, 1999, 1)
    assert report.validated == 2000 - (position - (kind in {"csv", "zip"}))
    assert one(database, "SELECT count(*), count(DISTINCT line) FROM rejected_rows") == (1, 1)
    assert len(table(database)) == 1999


def test_a_run_that_breaks_off_at_the_very_end_is_continued(load, put, database, some_flights):
    reference = put("flights.csv", as_csv([*some_flights, *some_flights[:10]]))
    with pytest.raises(Killed):
        load(reference, after(8))  # after the last batch comes "publishing"
    report = load(reference)
    assert (report.resumed_at, report.validated, report.rejected) == (2011, 0, 10)
    assert len(table(database)) == 2000


def test_what_a_crash_of_postgresql_takes_away_is_noticed(load, put, own_postgres, storage, some_flights):
    with own_postgres.new_database() as named:
        Migrator(make_url(named.url)).upgrade()
        configure(named.url, application_name="etl-test")
        reference = put("flights.csv", as_csv(some_flights))
        with pytest.raises(Killed):
            load(reference, after(4))
        own_postgres.kill()
        with pytest.raises(TransientError, match="away"):
            load(reference)
        own_postgres.start()
        own_postgres.wait_ready()
        with named.connect() as connection:
            assert one(connection, "SELECT position FROM jobs")[0] > 0
        report = load(reference)
        dispose()
    assert (report.resumed_at, report.validated, report.loaded) == (0, 2000, 2000)


def test_a_cancelled_job_stops_after_its_batch_and_loads_nothing(load, put, database, some_flights):
    def cancel(*_):
        database.execute("UPDATE jobs SET state = 'cancelled'")

    reference = put("flights.csv", as_csv(some_flights))
    for report in (cancel, lambda *_: None):
        with pytest.raises(PermanentError, match="cancelled"):
            load(reference, report)
    assert (table(database), staging(database), job(database)[0]) == ([], [], "cancelled")


def test_a_failed_job_may_be_tried_again(load, put, database, some_flights):
    content, _ = broken(some_flights, 4)
    reference = put("flights.csv", content)
    with pytest.raises(PermanentError, match="500 of 2,000 rows"):
        load(reference)
    report = load(reference, max_rejected_share=0.5)
    assert (report.resumed_at, report.loaded, report.rejected, job(database)[2]) == (0, 1500, 500, None)


def test_of_two_runs_of_a_job_one_waits_and_gets_the_report_of_the_other(load, put, database, some_flights):
    reference = put("flights.csv", as_csv(some_flights))
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(load, reference) for _ in range(2)]
        reports = [run.result(60) for run in runs]
    assert reports[0] == reports[1]
    assert (len(table(database)), reports[0].validated) == (2000, 2000)
