"""Malformed messages whose body is wrong: its encoding, its three elements, its arguments, its workflow."""

import base64
import bz2
import lzma
import zlib
from collections.abc import Iterator
from functools import cache
from typing import Any

from devstack.malformed.message import Expected, Maker, Malformed, dumps, nested

_MIB = 1024 * 1024
_EMBED = dict.fromkeys(("callbacks", "errbacks", "chain", "chord"))


def of_body(make: Maker) -> Iterator[Malformed]:
    """Bodies that are not three elements."""
    value: Any
    yield Malformed("body is not base64", make.envelope(body="*** not base64 ***"))
    yield Malformed("body is base64 of bad length", make.envelope(body="abcde"))
    yield Malformed("body is half characters", make.envelope(body="\ud800\udfff\ud800"))
    yield Malformed("body is text with accents", make.envelope(body="\u00e9\u00e8"))
    for name, data in {
        "nothing": b"",
        "junk": b"\xff\x00\xfe" * 100,
        "no JSON": b"hello",
        "cut JSON": make.good_body()[:-5],
        "two JSON values": make.good_body() * 2,
        "100,000 lists": nested(100_000).encode(),
        "100,000 objects": nested(100_000, '{"a":', "}").encode(),
        "an integer of 5,000 digits": b"1" + b"0" * 5_000,
        "4 MiB of a": b"a" * 4 * _MIB,
        "base64 once more": base64.b64encode(make.good_body()),
    }.items():
        yield Malformed(f"body is {name}", make.body(data))
    for value in (None, True, 7, "text", [], {}, [[]], [[], {}], [[], {}, {}, {}], [[], {}, {}, None, 1], {"a": 1}):
        yield Malformed(f"decoded body is {dumps(value).decode()}", make.body(value))


def of_arguments(make: Maker) -> Iterator[Malformed]:
    """Arguments that do not fit any signature, or not this one."""
    good = make.payload
    for args in (None, "text", {"a": 1}, 7, True):
        yield Malformed(f"args is {dumps(args).decode()}", make.payload_of(args, good), Expected.MAY_RUN)
    for kwargs in (None, [], "text", 7, [["token", "x"]]):
        yield Malformed(f"kwargs is {dumps(kwargs).decode()}", make.payload_of([], kwargs))
    for name, message in {
        "an unknown argument": make.payload_of([], {**good, "colour": "red"}),
        "no arguments": make.payload_of([], {}),
        "too many arguments": make.payload_of([1, 2, 3, 4, 5, 6, 7], {}),
        "every argument of another type": make.payload_of([], {key: {"a": []} for key in good}),
        "arguments given twice": make.payload_of(list(good.values()), good),
        "10,000 arguments": make.payload_of([], {f"k{n}": n for n in range(10_000)}),
        "100,000 positional arguments": make.payload_of([0] * 100_000, {}),
        "an argument named self": make.payload_of([], {**good, "self": 1}),
        "an argument named by a NUL": make.payload_of([], {**good, "\x00": 1}),
        "an argument named by half a character": make.payload_of([], {**good, "\ud800": 1}),
        "an argument without name": make.payload_of([], {**good, "": 1}),
        "an argument's name of 1 MiB": make.payload_of([], {**good, "k" * _MIB: 1}),
        "an argument that is NaN": make.payload_of([], {**good, "x": float("nan")}),
    }.items():
        yield Malformed(name, message)
    half = dict.fromkeys(good, "\ud800")
    yield Malformed("arguments of half characters", make.payload_of([], half), Expected.MAY_RUN)
    yield Malformed("arguments of 2 MiB", make.payload_of([], dict.fromkeys(good, "x" * 2 * _MIB)), Expected.MAY_RUN)
    for depth in (200, 400, 600, 800, 900, 950, 980):  # near the limits of the JSON and pickle modules
        deep = dumps([[], {**good, "x": "@"}, _EMBED]).replace(b'"@"', nested(depth).encode())
        yield Malformed(f"an argument of {depth} lists in lists", make.body(deep))


def of_workflow(make: Maker) -> Iterator[Malformed]:
    """Chains, groups, chords and callbacks that are none."""
    value: Any
    for value in (None, [], "text", 7, True):
        yield Malformed(f"embed is {dumps(value).decode()}", make.body([[], make.payload, value]), Expected.MAY_RUN)
    yield Malformed("embed is empty", make.body([[], make.payload, {}]), Expected.MAY_RUN)
    for key in ("callbacks", "errbacks", "chain", "chord"):
        for number, value in enumerate(_broken_signatures(make.task)):
            text = dumps(value).decode()
            yield Malformed(f"{key} {number} is {text[:60]}", make.embed(**{key: value}), Expected.MAY_RUN)
            refused = make.body([[], {}, {**_EMBED, key: value}])  # its failure is told to the others
            yield Malformed(f"{key} {number} is {text[:60]}, and no arguments", refused)
        yield Malformed(
            f"{key} is 500 lists", make.embed(**{key: "@"}).replace(b'"@"', nested(500).encode()), Expected.MAY_RUN
        )
    deep: dict[str, Any] = {"task": make.task, "args": [], "kwargs": {}, "options": {}, "subtask_type": None}
    for _ in range(150):
        deep = deep | {"options": {"link": [deep]}}
    yield Malformed("a callback with a callback, 150 deep", make.embed(callbacks=[deep]), Expected.MAY_RUN)
    chord = {"task": make.task, "args": [], "kwargs": make.payload, "options": {"task_id": "c"}, "chord_size": 3}
    yield Malformed("a chord without its group", make.embed(chord=chord), Expected.MAY_RUN)
    yield Malformed("an option that publishes elsewhere", make.embed(chain=[_to_nowhere(make.task)]), Expected.MAY_RUN)


def _broken_signatures(task: str) -> list[Any]:
    return [
        [],
        {},
        7,
        "text",
        True,
        [None],
        [7],
        ["text"],
        [{}],
        [[]],
        [[[[]]]],
        {"task": task},
        [{"task": task}],
        [{"task": None, "args": None, "kwargs": None, "options": None}],
        [{"task": {}, "args": [], "kwargs": {}, "options": {}}],
        [{"task": "app.tasks.nobody.knows", "args": [], "kwargs": {}, "options": {}, "subtask_type": None}],
        [{"task": task, "args": [], "kwargs": {}, "options": {"countdown": "x", "queue": 7, "priority": "x"}}],
        [{"task": task, "args": [], "kwargs": {}, "options": {"eta": 7}, "subtask_type": "group"}],
        [{"task": task, "args": [], "kwargs": {}, "options": {"chord": 7, "task_id": "c"}, "subtask_type": None}],
        [{"task": task, "args": [], "kwargs": {}, "options": {"chord": {}, "task_id": []}, "subtask_type": None}],
        [{"task": "celery.group", "args": [], "kwargs": {"tasks": 7}, "options": {}, "subtask_type": "group"}],
        [{"task": "celery.chain", "args": [], "kwargs": {"tasks": []}, "options": {}, "subtask_type": "chain"}],
        [{"task": "celery.chord", "args": [], "kwargs": {}, "options": {}, "subtask_type": "chord"}],
        {
            "task": "celery.chord",
            "args": [],
            "kwargs": {"header": 7, "body": 7},
            "options": {},
            "subtask_type": "chord",
        },
    ]


def _to_nowhere(task: str) -> dict[str, Any]:
    options = {"exchange": "nobody", "routing_key": "nobody", "exchange_type": "no-such"}
    return {
        "task": task,
        "args": [],
        "kwargs": {"token": "x"},
        "options": options,
        "subtask_type": None,
        "immutable": True,
    }


def of_compression(make: Maker) -> Iterator[Malformed]:
    """Bodies that say to be compressed: that are not, that are, and that grow to more than a worker has."""
    value: Any
    for kind in (
        "application/x-gzip",
        "gzip",
        "zlib",
        "bzip2",
        "application/x-bz2",
        "lzma",
        "application/x-lzma",
        "no-such",
    ):
        yield Malformed(f"compression {kind} of nothing compressed", make.compressed(make.good_body(), kind))
    for value in (7, ["gzip"], {"a": 1}, True):
        yield Malformed(f"compression is {value!r}", make.headers(compression=value), Expected.MAY_RUN)
    yield Malformed("compression is null", make.headers(compression=None), Expected.RUNS)
    yield Malformed(
        "compressed with zlib", make.compressed(zlib.compress(make.good_body()), "application/x-gzip"), Expected.RUNS
    )
    yield Malformed("cut zlib", make.compressed(zlib.compress(make.good_body())[:-6], "application/x-gzip"))
    yield Malformed("256 MiB of zeros in zlib", make.compressed(_bomb("zlib"), "application/x-gzip"))
    yield Malformed("1 GiB of zeros in bzip2", make.compressed(_bomb("bzip2"), "application/x-bz2"))
    yield Malformed("1 GiB of zeros in LZMA", make.compressed(_bomb("lzma"), "application/x-lzma"))
    codec = make.body(_bomb("bzip2")).replace(b'"content-encoding": "utf-8"', b'"content-encoding": "bz2_codec"')
    yield Malformed("1 GiB of zeros by the content-encoding", codec)


@cache
def _bomb(kind: str) -> bytes:
    block = bytes(32 * _MIB)
    if kind == "zlib":  # one stream only
        packer = zlib.compressobj(1)
        return b"".join([*(packer.compress(block) for _ in range(8)), packer.flush()])
    return (bz2.compress(block) if kind == "bzip2" else lzma.compress(block, preset=0)) * 32
