"""What is loaded of a row, and why a row is not."""

import pytest

from app.processors.schema import schema_of
from app.processors.validator import Validator
from app.rows import Batch
from workerkit.errors import PermanentError


def check(*rows, dataset="flights"):
    """Validates rows that are dicts with the same columns; the lines count from 2."""
    fields = [list(row.values()) if isinstance(row, dict) else row for row in rows]
    header = next(list(row) for row in rows if isinstance(row, dict))
    lines = range(2, len(rows) + 2)
    batch = Batch(fields, lines, [b"raw %d" % line for line in lines], lines[-1], 0.5)
    return Validator(schema_of(dataset), header).check(batch)


def loaded(checked):
    names = ["line", *(target.name for target in schema_of("flights").targets)]
    return [dict(zip(names, line.split("\t"), strict=True)) for line in checked.block.decode().splitlines()]


def test_a_flight_becomes_a_row_with_its_day_in_new_york(flight):
    checked = check(flight(time_hour="2013-01-02T04:00:00Z"))
    assert loaded(checked) == [
        {
            "line": "2", "time_hour": "2013-01-02T04:00:00+00:00", "carrier": "UA", "flight": "1545", "origin": "EWR",
            "dest": "IAH", "day": "2013-01-01", "tailnum": "N14228", "sched_dep_time": "515", "dep_time": "517",
            "dep_delay": "2", "sched_arr_time": "819", "arr_time": "830", "arr_delay": "11", "air_time": "227",
            "distance": "1400",
        }
    ]  # fmt: skip
    assert (checked.good, checked.rejected, checked.position) == (1, [], 2)


@pytest.mark.parametrize("missing", ["", "NA", None])
def test_what_is_missing_is_null_where_the_table_allows_it(flight, missing):
    checked = check(flight(dep_time=missing, tailnum=missing))
    assert (loaded(checked)[0]["dep_time"], loaded(checked)[0]["tailnum"]) == (r"\N", r"\N")


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"carrier": ""}, "carrier is missing"),
        ({"time_hour": "NA"}, "time_hour is missing"),
        ({"flight": "15x"}, "flight '15x' is not a whole number"),
        ({"flight": "1_5"}, "flight '1_5' is not a whole number"),
        ({"flight": "\u0661"}, r"flight '\u0661' is not a whole number"),
        ({"arr_delay": "40000"}, "arr_delay 40000 is out of range (-32768 to 32767)"),
        ({"air_time": "-1"}, "air_time -1 is out of range (0 to 32767)"),
        ({"dep_time": "1275"}, "dep_time 1275 is not a time of day"),
        ({"dep_time": "2401"}, "dep_time 2401 is out of range (0 to 2400)"),
        ({"time_hour": "2013-01-01T10:00:00"}, "time_hour '2013-01-01T10:00:00' has no time zone"),
        ({"time_hour": "2013-01-01T10:30:00Z"}, "time_hour '2013-01-01T10:30:00Z' is not a whole hour"),
        ({"time_hour": "2013-13-01"}, "time_hour '2013-13-01' is not a time as in 2013-01-01T10:00:00Z"),
        ({"time_hour": "0001-01-01T00:00Z"}, "time_hour '0001-01-01T00:00Z' is out of range (1900 to 2199)"),
        ({"tailnum": "N1\0"}, "tailnum holds a NUL"),
        ({"tailnum": "N1\udce4"}, "tailnum is not UTF-8"),
        ({"origin": "E" * 65}, "origin has 65 characters, 64 are allowed"),
        ({"flight": "x", "dest": ""}, "flight 'x' is not a whole number; dest is missing"),
    ],
)  # fmt: skip
def test_a_wrong_row_is_rejected_with_all_reasons_and_takes_no_other_with_it(flight, wrong, reason):
    checked = check(flight(), flight(**wrong), flight(flight="7"))
    assert [row["flight"] for row in loaded(checked)] == ["1545", "7"]
    assert checked.rejected == [(3, reason, b"raw 3")]


def test_a_row_with_another_number_of_fields_is_rejected(flight):
    checked = check(flight(), ["1", "2"], flight())
    assert (checked.good, checked.rejected) == (2, [(3, "has 2 fields, not 19", b"raw 3")])


def test_a_batch_in_which_all_rows_have_another_number_of_fields(flight):
    validator = Validator(schema_of("flights"), list(flight()))
    checked = validator.check(Batch([["1", "2"]], [2], [b"1,2"], 2, 1.0))
    assert (checked.good, checked.rejected) == (0, [(2, "has 2 fields, not 19", b"1,2")])


def test_what_copy_takes_for_a_mark_is_escaped(flight):
    assert loaded(check(flight(tailnum="a\tb\\N\r")))[0]["tailnum"] == r"a\tb\\N\r"


@pytest.mark.parametrize("number", ["inf", "nan", "1e999", "1_0", "0x10", "1e400"])
def test_what_python_takes_for_a_number_and_a_table_should_not(number):
    checked = check(
        {"faa": "XYZ", "name": "X", "lat": number, "lon": "0", "alt": "1", "tz": "-5", "dst": "A", "tzone": ""},
        dataset="airports",
    )
    assert checked.good == 0
    assert checked.rejected[0].reason.startswith("lat ")


def test_wrong_columns_are_all_named(flight):
    header = [*(name for name in flight() if name not in {"dest", "carrier"}), "destination", "origin"]
    with pytest.raises(PermanentError) as refusal:
        Validator(schema_of("flights"), header)
    assert str(refusal.value) == (
        "these are not the columns of flights; missing: carrier, dest; unknown: destination; given twice: origin"
    )


def test_columns_may_come_in_any_order_and_repeat_nothing_of_time_hour(flight):
    row = {
        name: flight()[name] for name in reversed(flight()) if name not in {"year", "month", "day", "hour", "minute"}
    }
    assert loaded(check(row)) == loaded(check(flight()))


def test_wrong_types_of_a_typed_file_are_all_named(flight):
    kinds = dict.fromkeys(flight(), "whole number") | {"time_hour": "time", "dep_time": "number", "tailnum": "text"}
    with pytest.raises(PermanentError) as refusal:
        Validator(schema_of("flights"), list(flight()), kinds | {"dest": "text", "origin": "text", "distance": "bool"})
    assert str(refusal.value) == (
        "the columns of flights have wrong types: carrier holds whole number, not text; "
        "distance holds bool, not whole number"
    )
