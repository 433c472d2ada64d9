"""What the guard accepts, and that it says what is wrong with the rest."""

import base64
import hashlib
import json
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from taskclient.message import build_message
from workerkit.transport.describe import letter_of
from workerkit.transport.guard import Unreadable, read, start_time


def good() -> dict[str, Any]:
    raw = build_message("app.tasks.demo.mark", {"name": "é\u2028 ☃", "big": 2**80}, queue="demo", task_id="id-1")
    message: dict[str, Any] = json.loads(raw)
    return message


def with_body(message: dict[str, Any], body: Any) -> dict[str, Any]:
    return {**message, "body": base64.b64encode(json.dumps(body).encode()).decode()}


def test_a_good_message_keeps_its_payload() -> None:
    message = read(json.dumps(good()).encode())
    assert message["content"][1] == {"name": "é\u2028 ☃", "big": 2**80}
    assert message["headers"]["id"] == "id-1"


def test_a_compressed_body_is_unpacked() -> None:
    message = good()
    packed = zlib.compress(base64.b64decode(message["body"]))
    message["body"] = base64.b64encode(packed).decode()
    message["headers"]["compression"] = "application/x-gzip"
    assert read(json.dumps(message).encode())["content"][1]["big"] == 2**80


def test_a_bomb_is_not_unpacked() -> None:
    message = good()
    message["body"] = base64.b64encode(zlib.compress(b" " * 100_000_000)).decode()
    message["headers"]["compression"] = "application/x-gzip"
    with pytest.raises(Unreadable, match="larger than"):
        read(json.dumps(message).encode())


def test_the_start_time_is_in_utc_where_nothing_else_is_said() -> None:
    message = good()
    message["headers"]["eta"] = "2030-01-01T00:00:00"
    assert start_time(read(json.dumps(message).encode())) == 1_893_456_000
    message["headers"]["eta"] = "2030-01-01T02:00:00+02:00"
    assert start_time(read(json.dumps(message).encode())) == 1_893_456_000


def test_protocol_1_is_read() -> None:
    message = good()
    message["headers"] = {}
    body = {"task": "app.tasks.demo.mark", "id": "id-1", "args": [], "kwargs": {"name": "x"}, "retries": 0}
    found = read(json.dumps(with_body(message, body)).encode())
    assert found["headers"] == {}
    assert start_time(found) is None
    found = read(json.dumps(with_body(message, {**body, "eta": "2030-01-01"})).encode())
    assert start_time(found) == 1_893_456_000


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: m["headers"].update(id=None), "headers.id"),
        (lambda m: m["headers"].update(eta="soon"), "headers.eta"),
        (lambda m: m["headers"].update(timelimit=["a", 1]), "headers.timelimit"),
        (lambda m: m["headers"].update(update={}), "Celery's own"),
        (lambda m: m.update({"content-type": "application/x-python-serialize"}), "application/json"),
        (lambda m: m.update(body="***"), "base64"),
        (lambda m: m.update(with_body(m, {"a": 1})), "args, kwargs, embed"),
        (lambda m: m.update(with_body(m, [[], [], {}])), "kwargs"),
        (lambda m: m.update(with_body(m, [[], {}, {"chain": [1]}])), "embed.chain"),
        (lambda m: m.pop("properties"), "body_encoding|delivery|args|no JSON"),
    ],
)
def test_the_rest_is_refused_with_the_reason(change: Callable[[dict[str, Any]], Any], words: str) -> None:
    message = good()
    change(message)
    with pytest.raises(Unreadable, match=words):
        read(json.dumps(message).encode())


@pytest.mark.parametrize("raw", [b"", b"\xff", b"null", b"[]", b'"x"', b"{", b"[" * 200_000, b"1" * 10_000])
def test_junk_is_refused(raw: bytes) -> None:
    with pytest.raises(Unreadable):
        read(raw)


def test_a_message_is_described_as_far_as_it_can_be_read() -> None:
    readable = letter_of(json.dumps(good()).encode(), "failed", "why")
    assert (readable.id, readable.task) == ("id-1", "app.tasks.demo.mark")
    junk = letter_of(b"junk", "failed", "why")
    assert (junk.id, junk.task) == (hashlib.sha1(b"junk").hexdigest(), None)  # noqa: S324


def test_every_value_is_read_as_json_reads_it() -> None:
    values = '[1e400, -0.0, 0.1, -Infinity, 12345678901234567890123, "\\ud800", "\\u00e9", {"a": 1, "a": 2}, "\x7f"]'
    message = {**good(), "body": base64.b64encode(f"[{values}, {{}}, {{}}]".encode()).decode()}
    assert repr(read(json.dumps(message).encode())["content"][0]) == repr(json.loads(values))


@pytest.mark.parametrize("key", ["__type__", "\\u005f_type__"])
def test_a_date_of_celerys_is_a_date(key: str) -> None:
    body = f'[[{{"{key}": "datetime", "__value__": "2026-11-22T10:00:00+00:00"}}], {{}}, {{}}]'
    message = {**good(), "body": base64.b64encode(body.encode()).decode()}
    assert read(json.dumps(message).encode())["content"][0] == [datetime(2026, 11, 22, 10, tzinfo=UTC)]
