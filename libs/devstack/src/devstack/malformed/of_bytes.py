"""Malformed messages whose bytes are wrong, or which are JSON of the wrong type."""

import gzip
import json
from collections.abc import Iterator

from devstack.malformed.message import Expected, Maker, Malformed, nested

_MIB = 1024 * 1024


def of_bytes(make: Maker) -> Iterator[Malformed]:
    """Bytes that are no JSON, or JSON that no parser likes."""
    good = make.good()
    for name, raw in {
        "empty": b"",
        "one NUL": b"\x00",
        "spaces": b"   \n\t",
        "plain text": b"hello",
        "not UTF-8": b"\xff\xfe\xfa",
        "not UTF-8 in a string": b'{"body": "\xe9\xff", "headers": {}, "properties": {}}',
        "1 MiB of a": b"a" * _MIB,
        "8 MiB of NUL": b"\x00" * (8 * _MIB),
        "random bytes": bytes((i * 7919 + 13) % 256 for i in range(4096)),
        "a pickle": b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x01a\x94K\x01s.",
        "gzip of a good message": gzip.compress(good, mtime=0),
        "UTF-16 with BOM, of other text": "{\u00e9".encode("utf-16"),
        "cut in half": good[: len(good) // 2],
        "cut by one byte": good[:-1],
        "two messages in one": good + good,
        "a good message and a brace": good + b"}",
        "a good message and a NUL": good + b"\x00",
        "single quotes": good.replace(b'"', b"'"),
        "trailing comma": good[:-1] + b",}",
        "NUL inside a string": good.replace(b'"utf-8"', b'"utf\x00-8"'),
        "a frame of the transport's own": make.queue.encode() + b"\n" + good,
    }.items():
        yield Malformed(name, raw)
    yield Malformed("BOM before a good message", b"\xef\xbb\xbf" + make.good(), Expected.MAY_RUN)
    yield Malformed("UTF-16 of a good message", make.good().decode().encode("utf-16"), Expected.MAY_RUN)
    yield Malformed("line feeds around a good message", b"\n\n" + make.good() + b"\n", Expected.RUNS)


def of_json(make: Maker) -> Iterator[Malformed]:
    """JSON, but no message."""
    for text in (
        "[]",
        "{}",
        "null",
        "true",
        "0",
        "-1.5e300",
        '""',
        '"text"',
        "NaN",
        "-Infinity",
        "[[],{},{}]",
        "[1, 2, 3]",
    ):
        yield Malformed(f"JSON {text}", text.encode())
    for depth in (500, 990, 1_000, 5_000, 100_000):
        yield Malformed(f"{depth:,} lists in lists", nested(depth).encode())
        yield Malformed(f"{depth:,} objects in objects", nested(depth, '{"a":', "}").encode())
    yield Malformed("100,000 opening brackets", b"[" * 100_000)
    yield Malformed("an integer of 5,000 digits", b"1" + b"0" * 5_000)
    yield Malformed("an integer of 1,000,000 digits", b"7" * 1_000_000)
    yield Malformed("a string of escapes of half characters", b'"' + b"\\ud800" * 1_000 + b'"')
    good = make.good()
    yield Malformed("duplicate keys, the last one null", good[:-1] + b', "headers": null}')
    yield Malformed("duplicate keys, all the same", good[:-1] + b', "content-type": "application/json"}', Expected.RUNS)
    yield Malformed("a list around a good message", b"[" + make.good() + b"]")
    yield Malformed("a good message as a string", json.dumps(make.good().decode()).encode())
