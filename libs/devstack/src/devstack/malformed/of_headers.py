"""Malformed messages whose task headers are wrong, and messages of Celery's first protocol."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from devstack.malformed.message import Expected, Maker, Malformed, dumps, nested

_MIB = 1024 * 1024
_WRONG: dict[str, Any] = {
    "text": "x",
    "a number": 7,
    "negative": -1,
    "a fraction": 1.5,
    "10**30": 10**30,
    "a list": [{}],
    "an object": {"a": 1},
    "true": True,
    "NaN": float("nan"),
    "infinite": float("inf"),
    "half a character": "\ud800",
    "1 MiB": "x" * _MIB,
    "format characters": "%s %(x)s {0} {x!r} \x1b[31m\r\n",
}
_NAMES = (  # what Celery and the template read; each is tried with every wrong value
    "shadow", "eta", "expires", "timelimit", "retries", "group", "group_index", "root_id", "parent_id", "lang",
    "argsrepr", "kwargsrepr", "origin", "stamps", "stamped_headers", "replaced_task_nesting", "ignore_result",
    "x-correlation-id", "x-published-at", "x-idempotency-key", "idempotency-key", "x-max-age", "x-attempts",
)  # fmt: skip
_SHADOWING = (  # attributes and methods of the request that Celery fills from the headers
    "args", "kwargs", "callbacks", "errbacks", "chain", "chord", "called_directly", "is_eager", "delivery_info",
    "headers", "properties", "hostname", "reply_to", "correlation_id", "get", "update", "clear", "execution_options",
    "children", "_children", "_protected", "__class__", "__dict__", "self", "task_name", "utc", "body", "content_type",
    "loglevel", "logfile", "taskset", "redelivered", "priority", "time_start", "worker_pid", "meth", "errors",
    "replaced_task",
)  # fmt: skip


def of_task(make: Maker) -> Iterator[Malformed]:
    """Names that are none, or that nobody knows, or that Celery itself uses."""
    value: Any
    payload: dict[str, Any]
    yield Malformed("no task", make.without("headers", "task"))
    for value in (None, 7, 0, True, [], ["x"], {}, {"a": 1}, ""):
        yield Malformed(f"task is {dumps(value).decode()}", make.headers(task=value))
    for name in ("app.tasks.nobody.knows", "x", " ", "__class__", "a" * 100, make.task + " ", make.task.upper()):
        yield Malformed(f"task is {name[:40]!r} ({len(name)})", make.headers(task=name), Expected.PARKED)
    for name in (
        "a" * 300,
        "a" * _MIB,
        "\x00",
        "a\nb",
        "\ud800",
        "%s%(task)s{0}",
        "app.tasks.target.\u00e9",
        "*",
        "celery.no_such",
    ):
        yield Malformed(f"task is {name[:40]!r} ({len(name)})", make.headers(task=name), Expected.MAY_RUN)
    for name in (
        "chord_unlock",
        "backend_cleanup",
        "accumulate",
        "map",
        "starmap",
        "chunks",
        "group",
        "chain",
        "chord",
    ):
        for payload in ({}, {"it": 7, "task": 7, "n": 0}, make.payload):
            message = make.headers(task=f"celery.{name}")
            text = f"task is celery.{name} with {dumps(payload).decode()[:40]}"
            yield Malformed(text, _with_payload(make, message, [], payload), Expected.MAY_RUN)
    unlock = [str(uuid4()), {"task": 7}]
    junk = _with_payload(make, make.headers(task="celery.chord_unlock"), unlock, {"interval": "x", "result": [[7]]})
    yield Malformed("celery.chord_unlock that may retry for ever", junk, Expected.MAY_RUN)


def _with_payload(make: Maker, message: bytes, args: Any, kwargs: Any) -> bytes:
    return message.replace(_body_text(make.good()), _body_text(make.payload_of(args, kwargs)))


def _body_text(message: bytes) -> bytes:
    return message.split(b'"body": "', 1)[1].split(b'"', 1)[0]


def of_id(make: Maker) -> Iterator[Malformed]:
    """Task ids that are none."""
    value: Any
    yield Malformed("no id", make.without("headers", "id"))
    for value in (None, 7, [], ["a"], {}, {"a": 1}, True):
        yield Malformed(f"id is {dumps(value).decode()}", make.headers(id=value))
    for value in (
        "",
        "\x00",
        "a\nb",
        "\ud800",
        "x" * _MIB,
        "%s%(id)s{0}",
        "\x1b[2J",
        "../../etc",
        "*",
        "id with spaces",
    ):
        yield Malformed(f"id is {value[:20]!r}", make.headers(id=value), Expected.MAY_RUN)


def of_headers(make: Maker) -> Iterator[Malformed]:
    """Every header that Celery or the template reads, with every kind of wrong value."""
    for name in _NAMES:
        for kind, value in _WRONG.items():
            yield Malformed(f"{name} is {kind}", make.header(name, value), Expected.MAY_RUN)
        deep = make.header(name, "@").replace(b'"@"', nested(700).encode())
        yield Malformed(f"{name} is 700 lists in lists", deep, Expected.MAY_RUN)
    for name in _SHADOWING:
        for value in (7, {"a": 1}, [[]]):
            text = f"a header named {name} is {dumps(value).decode()}"
            yield Malformed(text, make.header(name, value), Expected.MAY_RUN)
    yield Malformed("a header without name", make.header("", 1), Expected.MAY_RUN)
    yield Malformed("a header named by half a character", make.header("\ud800", 1), Expected.MAY_RUN)
    yield Malformed("10,000 headers", make.headers(**{f"h{n}": n for n in range(10_000)}), Expected.MAY_RUN)
    for depth in (200, 400, 600, 800, 900, 950):
        deep = make.header("x-deep", "@").replace(b'"@"', nested(depth).encode())
        yield Malformed(f"a header of {depth} lists in lists", deep, Expected.MAY_RUN)


def of_times(make: Maker) -> Iterator[Malformed]:
    """Times and limits at the ends of what can be computed."""
    value: Any
    limits: Any
    retries: Any
    for name in ("eta", "expires"):
        for value in (
            "", "soon", "0000-00-00", "0000-01-01T00:00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00",
            "99999-01-01T00:00:00Z", "2026-02-30T00:00:00Z", "2020-01-01T00:00:00", "2020-01-01",
            "2020-01-01T25:61:61Z",
            "2020-01-01T00:00:00+99:99", "2020-01-01T00:00:00.123456789Z", "1969-12-31T23:59:59Z", "9" * 5_000, "\x00",
            "2999-01-01T00:00:00+00:00", 0, -1, 1e308, 10**12, False, [2020, 1, 1],
        ):  # fmt: skip
            yield Malformed(f"{name} is {str(value)[:30]!r}", make.header(name, value), Expected.MAY_RUN)
    for limits in (
        [], [1], ["a", 1], [1, "a"], [None], [-1, -1], [0, 0], [1e308, 1e308], [10**30, 10**30], [None, None, None],
        {"a": 1}, [[], []], [True, True], [float("nan")] * 2, [float("inf")] * 2, [0.0001, 0.0001], [10**30, None],
        [None, 10**30], "ab",
    ):  # fmt: skip
        text = f"timelimit is {dumps(limits).decode()[:40]}"
        yield Malformed(text, make.headers(timelimit=limits), Expected.MAY_RUN)
    for retries in (10**5, 10**9, 10**11, 2**63, -(10**30), "1", None, 0.5):
        bug = make.headers(retries=retries, task="app.tasks.target.bug")
        yield Malformed(f"retries is {retries!r} and the task fails", bug, Expected.MAY_RUN)


def of_protocol_1(make: Maker) -> Iterator[Malformed]:
    """Messages with everything in the body, good and bad, and a mixture of both protocols."""
    value: Any
    yield Malformed("protocol 1", make.protocol_1(), Expected.RUNS)
    for key in (
        "task",
        "id",
        "args",
        "kwargs",
        "retries",
        "eta",
        "expires",
        "timelimit",
        "taskset",
        "chord",
        "callbacks",
    ):
        for kind, value in {"null": None, "an object": {"a": 1}, "a list": [[]], "a number": -7, "text": "x"}.items():
            yield Malformed(f"protocol 1, {key} is {kind}", make.protocol_1(**{key: value}), Expected.MAY_RUN)
    for value in ("2999-01-01", "2999-01-01T00:00:00", "2020-01-01"):
        for key in ("eta", "expires"):
            yield Malformed(f"protocol 1, {key} is {value}", make.protocol_1(**{key: value}), Expected.MAY_RUN)
    for value in (
        {},
        {"task": make.task},
        {"id": "x"},
        {"task": make.task, "id": str(uuid4())},
        {"args": [], "kwargs": {}},
    ):
        text = f"protocol 1, {dumps(value).decode()[:60]}"
        tree = make.envelope(headers={})
        yield Malformed(text, tree.replace(_body_text(tree), _body_text(make.body(value))), Expected.MAY_RUN)
        yield Malformed(f"a mixture of protocols, {dumps(value).decode()[:60]}", make.body(value), Expected.MAY_RUN)
    for value in (
        {"args": 7, "kwargs": {}},
        {"args": [], "kwargs": []},
        {"args": None, "kwargs": None},
        {"args": {}, "utc": 7},
    ):
        yield Malformed(f"a mixture of protocols, {dumps(value).decode()}", make.body(value), Expected.MAY_RUN)
    for name in (*_NAMES, "id", "compression"):  # Celery lets them outrank the body
        for kind, value in _WRONG.items():
            yield Malformed(f"protocol 1, header {name} is {kind}", make.protocol_1_with(name, value), Expected.MAY_RUN)
    yield Malformed("protocol 1, an unknown task", make.protocol_1(task="app.tasks.nobody.knows"), Expected.PARKED)
