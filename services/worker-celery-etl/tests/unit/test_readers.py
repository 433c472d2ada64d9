"""What readers make of small files, good and broken ones."""

import bz2
import io
import json
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.adapters.sources import Limits, open_source
from workerkit.errors import PermanentError
from workerkit.storage import StoredFile

LIMITS = Limits(uncompressed_bytes=10_000_000, ratio=100, line_bytes=1_000)


@pytest.fixture
def read(storage):
    """Reads all of a file; returns the header and every batch."""

    def all_of(name, content, *, rows=100, position=0, limits=LIMITS):
        with open_source(storage, storage.put(name, content), limits) as reader:
            return reader.header, list(reader.batches(position, rows))

    return all_of


def rows_of(batches):
    return [(line, list(row)) for batch in batches for line, row in zip(batch.lines, batch.rows, strict=True)]


def zipped(*members, method=zipfile.ZIP_DEFLATED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return file.getvalue()


@pytest.mark.parametrize(
    "content", [b"a,b\n1,2\n3,4\n", b"a,b\r\n1,2\r\n3,4", b"\xef\xbb\xbfa,b\n1,2\n\n3,4\n\n", b'"a",b\n"1",2\n3,"4"\n']
)
@pytest.mark.parametrize("rows", [1, 2, 100])
def test_csv_of_all_kinds(read, content, rows):
    header, batches = read("a.csv", content, rows=rows)
    assert header == ["a", "b"]
    assert [row for _, row in rows_of(batches)] == [["1", "2"], ["3", "4"]]
    assert batches[-1].share == 1.0


@pytest.mark.parametrize("rows", [1, 2, 3, 100])
@pytest.mark.parametrize("skipped", range(8))
def test_reading_goes_on_after_any_batch(read, rows, skipped):
    content = b'a,b\n1,2\n"x\ny",3\n\n4,"5\n\n6"\n7,8\n9,"never\n'
    _, everything = read("a.csv", content, rows=rows)
    for batch in everything[skipped : skipped + 1]:
        _, rest = read("a.csv", content, rows=rows, position=batch.position)
        assert rows_of(rest) == [row for row in rows_of(everything) if row[0] > batch.position]
    assert rows_of(everything) == [(2, ["1", "2"]), (3, ["x\ny", "3"]), (6, ["4", "5\n\n6"]), (9, ["7", "8"])]
    assert [broken for batch in everything for broken in batch.broken] == [
        (10, "is not CSV: unexpected end of data", b'9,"never')
    ]


def test_a_quote_that_is_never_closed_costs_one_row(read):
    lines = [b"%d,x" % number for number in range(3, 1003)]
    _, batches = read("a.csv", b"\n".join([b"a,b", b'2,"x', *lines]), rows=50)
    assert [row.line for batch in batches for row in batch.broken] == [2]
    assert [line for line, _ in rows_of(batches)] == list(range(3, 1003))


def test_bytes_that_are_no_utf8_cost_one_row_and_stay_as_they_are(read):
    _, batches = read("a.csv", b"a,b\n1,\xe4\n2,\xc3\xa4\n")
    assert rows_of(batches) == [(2, ["1", "\udce4"]), (3, ["2", "ä"])]
    assert batches[0].raws == [b"1,\xe4", b"2,\xc3\xa4"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"[1]", "is not a JSON object"),
        (b'{"a": tru', "is not JSON: Expecting value: line 1 column 7 (char 6)"),
        (b'{"a": NaN}', "is not JSON: NaN is no JSON"),
        (b'{"a": true}', "a is neither text nor a number"),
        (b'{"a": {"b": 1}}', "a is neither text nor a number"),
        (b'{"a": 1, "c": 2}', "has unknown columns: ['c']"),
        (b'{"a": "\xe4"}', "is not UTF-8"),
    ],
)
def test_json_lines_and_their_troubles(read, line, reason):
    header, batches = read("a.jsonl", b'{"a": 1.50, "b": "x"}\n' + line + b'\n{"b": null}\n')
    assert header == ["a", "b"]
    assert rows_of(batches) == [(1, ["1.50", "x"]), (3, [None, None])]
    assert [row for batch in batches for row in batch.broken] == [(2, reason, line)]


def test_json_that_is_nested_without_end_is_rejected(read):
    _, batches = read("a.jsonl", b'{"a": 1}\n{"a": ' + b"[" * 900 + b"}")
    assert [row.line for batch in batches for row in batch.broken] == [2]


def parquet(table, **options):
    file = io.BytesIO()
    pq.write_table(table, file, **options)
    return file.getvalue()


@pytest.mark.parametrize("position", [0, 1, 3, 4, 5])
def test_parquet_from_any_position(read, position):
    table = pa.table(
        {
            "n": pa.array([1, 2, None, 4, 5], pa.int16()),
            "f": pa.array([1.0, 2.5, float("nan"), None, 5.0]),
            "s": pa.array(["a", "b", "c", "a", None]).dictionary_encode(),
            "t": pa.array([0, 3_600_000_000_000, None, 0, 0], pa.timestamp("ns", "UTC")),
        }
    )
    with_lines = [
        (1, ["1", "1", "a", "1970-01-01 00:00:00+00:00"]),
        (2, ["2", "2.5", "b", "1970-01-01 01:00:00+00:00"]),
        (3, [None, None, "c", None]),
        (4, ["4", None, "a", "1970-01-01 00:00:00+00:00"]),
        (5, ["5", "5", None, "1970-01-01 00:00:00+00:00"]),
    ]
    _, batches = read("a.parquet", parquet(table, row_group_size=2), rows=2, position=position)
    assert rows_of(batches) == with_lines[position:]
    assert [json.loads(batch.raws[0]) for batch in batches][:1] == [
        dict(zip(table.column_names, row, strict=True)) for _, row in with_lines[position : position + 1]
    ]


CSV = b"a,b\n" + b"1,2\n" * 1000
GOOD_ZIP = zipped(("x.csv", CSV))


def with_wrong_crc():
    return GOOD_ZIP.replace(zipfile.crc32(CSV).to_bytes(4, "little"), b"\1\2\3\4")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.csv", b"", "is empty"),
        ("a.txt", b"a,b\n", "no known suffix"),
        ("a.csv", GOOD_ZIP, "looks like zip"),
        ("a.zip", CSV, "named like zip, and its content is not: it looks like CSV"),
        ("a.parquet", CSV, "looks like CSV"),
        ("a.jsonl", CSV, "looks like CSV"),
        ("a.csv", b'{"a": 1}\n', "looks like JSON Lines"),
        ("a.zip", GOOD_ZIP[:-30], "damaged zip"),
        ("a.zip", GOOD_ZIP[:50] + b"\xff" + GOOD_ZIP[51:], "damaged zip"),
        ("a.zip", with_wrong_crc(), "damaged zip: Bad CRC-32"),
        ("a.zip", zipped(("x.csv", CSV), ("y.csv", CSV)), "holds 2 files"),
        ("a.zip", zipped(("x.txt", CSV)), r"must hold one \.csv file"),
        ("a.zip", zipped(), "holds 0 files"),
        ("a.zip", zipped(("x.csv", CSV), method=zipfile.ZIP_BZIP2), "not packed by deflate"),
        ("a.zip", zipped(("x.csv", b"")), "empty"),
        ("a.csv", b"a" * 1_001 + b",b\n1,2\n", "line 1 has more than 1,000 bytes"),
        ("a.csv", b"a,b\n1,2\n1," + b"2" * 999 + b"\n", "line 3 has more than 1,000 bytes"),
        ("a.csv", b"a,b\n" + b"1" * 2_000_000, "line 2 has more than 1,000 bytes"),
        ("a.csv", b'a,"b\n1,2\n', "the header cannot be read"),
        ("a.jsonl", b"{]\n", "the first line, which names the columns, is not JSON"),
        ("a.parquet", b"PAR1" + b"x" * 100, "the Parquet file is damaged"),
    ],
)
def test_a_file_that_is_not_what_it_should_be(read, name, content, reason):
    with pytest.raises(PermanentError, match=reason):
        read(name, content)


def test_a_damaged_page_of_a_parquet_file(read):
    content = bytearray(parquet(pa.table({"a": list(range(10_000))}), compression="zstd"))
    content[4:400] = bz2.compress(bytes(content[4:400]))[:396].ljust(396, b"\xff")
    with pytest.raises(PermanentError, match="the Parquet file is damaged"):
        read("a.parquet", bytes(content))


@pytest.mark.parametrize("size", [2_000_000, 9_000_000])
def test_a_zip_bomb_is_given_up_while_it_is_read(read, size):
    bomb = zipped(("x.csv", b"a,b\n" + b"1,2\n" * (size // 4)))
    with pytest.raises(PermanentError, match=r"unpacks to more than .* ETL_MAX_COMPRESSION_RATIO"):
        read("a.zip", bomb, rows=50_000)


def test_a_file_that_is_too_large_when_unpacked(read):
    limits = Limits(uncompressed_bytes=2_000, ratio=1_000, line_bytes=1_000)
    for name, content in [("a.zip", GOOD_ZIP), ("a.csv", CSV), ("a.parquet", parquet(pa.table({"a": ["x"] * 1_000})))]:
        with pytest.raises(PermanentError, match="ETL_MAX_UNCOMPRESSED_BYTES"):
            read(name, content, limits=limits)


def test_a_file_that_was_replaced_by_one_of_the_same_size(storage):
    stored = storage.put("a.csv", CSV)
    storage.put("a.csv", CSV.replace(b"1,2", b"1,3"))
    with pytest.raises(PermanentError, match="SHA-256"), open_source(storage, stored, LIMITS):
        raise AssertionError("was opened")


def test_a_file_that_is_gone(storage):
    gone = StoredFile(path="a.csv", size=1, sha256="0" * 64)
    with pytest.raises(PermanentError, match="there is no file"), open_source(storage, gone, LIMITS):
        raise AssertionError("was opened")
