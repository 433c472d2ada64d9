"""Rows from a message, and tables as files that can be loaded again."""

import gzip
from datetime import date
from functools import partial
from uuid import uuid4

import pytest
from tests.server.files import as_csv, typed

from app.adapters.batches import load_batch
from app.adapters.exports import FORMATS
from app.messages import Reference
from app.processors.batch_processor import BatchProcessor
from app.processors.export_processor import ExportProcessor
from workerkit.errors import PermanentError


def process(dataset, rows, effect=None):
    return BatchProcessor(partial(load_batch, effect=effect or str(uuid4()))).process(dataset, rows)


def table(database):
    return database.execute("SELECT * FROM flights ORDER BY time_hour, carrier, flight, origin").fetchall()


def test_a_batch_is_loaded_except_for_its_wrong_rows(database, some_flights):
    rows = [typed(row) for row in some_flights[:50]]
    rows += [rows[3] | {"dest": "XXX"}, rows[0] | {"carrier": None}, rows[0] | {"colour": "red"}, {"flight": 1.5}]
    report = process("flights", rows)
    assert (report.loaded, report.changed, report.rejected, len(table(database))) == (50, 50, 4, 50)
    reasons = {item.index: item.reason for item in report.rejections}
    assert reasons[50] == "has the key of row 3"
    assert reasons[51] == "carrier is missing"
    assert reasons[52] == "has unknown columns: ['colour']"
    assert reasons[53].startswith("time_hour is missing; carrier is missing; flight '1.5' is not a whole number")
    again = process("flights", [rows[0] | {"dest": "NEW"}, *rows[1:50]])
    assert (again.loaded, again.changed) == (50, 1)


def test_a_batch_that_comes_again_does_not_undo_a_later_one(database, some_flights):
    rows = [typed(row) for row in some_flights[:50]]
    first = process("flights", rows, "a")
    process("flights", [row | {"dest": "NEW"} for row in rows], "b")
    later = table(database)
    again = process("flights", rows, "a")
    assert (first.changed, again.changed, again.loaded) == (50, 0, 50)
    assert table(database) == later


def test_an_empty_batch(database):
    report = process("airlines", [])
    assert (report.loaded, report.rejected) == (0, 0)


@pytest.fixture
def export(storage):
    return ExportProcessor(storage, FORMATS).save


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_a_saved_table_can_be_loaded_again(load, put, export, database, some_flights, suffix):
    load(put("flights.csv", as_csv([*some_flights[1:], some_flights[0] | {"tailnum": "a\\\"',"}])))
    before = table(database)
    saved = export("flights", f"exports/flights{suffix}", None, None)
    assert saved.rows == 2000
    database.execute("TRUNCATE flights")
    report = load(Reference(**saved.model_dump(), source="flights"))
    assert (report.loaded, table(database)) == (2000, before)


def test_gzip_holds_the_same_csv(load, put, export, storage, some_flights):
    load(put("flights.csv", as_csv(some_flights)))
    plain, packed = (export("flights", f"flights{suffix}", None, None) for suffix in (".csv", ".csv.gz"))
    assert gzip.decompress(storage.read(packed)) == storage.read(plain)
    assert (packed.rows, export("flights", "again.csv.gz", None, None).sha256) == (2000, packed.sha256)


def test_some_days_only(load, put, export, storage, some_flights):
    load(put("flights.csv", as_csv(some_flights)))
    second = sum(row["day"] == "2" for row in some_flights)
    assert export("flights", "days.csv", date(2013, 1, 2), date(2013, 1, 2)).rows == second > 0
    assert export("flights", "days.csv", date(2014, 1, 1), None).rows == 0
    assert export("weather", "days.parquet", date(2013, 1, 2), None).rows == 0


def test_what_cannot_be_saved(export, storage, database):
    with pytest.raises(PermanentError, match=r"must end with one of \.csv, "):
        export("flights", "flights.xlsx", None, None)
    with pytest.raises(PermanentError, match="airlines has no days"):
        export("airlines", "airlines.csv", date(2013, 1, 1), None)
    assert not storage.exists("airlines.csv")
