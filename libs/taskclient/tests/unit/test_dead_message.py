import base64
import json
import zlib
from datetime import UTC, datetime, timedelta

import pytest

from taskclient.dead_message import decode_message, refreshed
from taskclient.message import build_message

NOW = 1_900_000_000.125  # seconds since 1970
LATER = datetime.now(UTC) + timedelta(hours=1)


def message(**options):
    return build_message("app.tasks.demo.add", {"a": 1, "b": "ü"}, queue="demo", task_id="id-1", **options)


def test_a_message_is_taken_apart():
    decoded = decode_message(message())

    assert (decoded.args, decoded.kwargs, decoded.problem) == ([], {"a": 1, "b": "ü"}, None)
    assert (decoded.headers["id"], decoded.properties["delivery_info"]["routing_key"]) == ("id-1", "demo")
    assert decoded.embed == {"callbacks": None, "errbacks": None, "chain": None, "chord": None}


def with_body(body, headers=None, **properties):
    return json.dumps({"body": body, "headers": headers or {}, "properties": properties}).encode()


def test_compressed_plain_and_old_bodies_are_read():
    packed = base64.b64encode(zlib.compress(b'[[1], {"a": 2}, null]')).decode()

    assert decode_message(with_body(packed, {"compression": "gzip"}, body_encoding="base64")).args == [1]
    assert decode_message(with_body('[[1], {"a": 2}, null]')).kwargs == {"a": 2}
    assert decode_message(with_body('{"task": "x", "id": "1", "args": [3], "kwargs": {}}')).args == [3]


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"\xff\xfe\x00", "no message"),
        (b"not json", "no message"),
        (b"[1]", "no message"),
        (b"{}", "no message"),
        (b"[" * 100_000, "no message"),
        (with_body("§§§", body_encoding="base64"), "body cannot be read"),
        (with_body("[1]"), "body cannot be read"),
        (with_body(None), "body cannot be read"),
        (with_body(7), "body cannot be read"),
        (with_body("AAAA", {"compression": "zlib"}, body_encoding="base64"), "body cannot be read"),
    ],
)
def test_what_cannot_be_read_is_said_and_nothing_raises(raw, says):
    decoded = decode_message(raw)

    assert says in decoded.problem
    assert decoded.kwargs is None


def test_a_message_that_may_run_now_stays_byte_for_byte():
    raw = message().replace(b'"x-published-at"', b'"x-other"')

    assert refreshed(raw, NOW) == raw


def test_only_retries_and_times_change():
    raw = message(eta=LATER, expires=LATER).replace(b'"retries": 0', b'"retries": 15')

    before, after = json.loads(raw), json.loads(refreshed(raw, NOW))

    changed = {name: value for name, value in after["headers"].items() if value != before["headers"][name]}
    assert changed == {"retries": 0, "eta": None, "expires": None, "x-published-at": NOW, "x-due-at": None}
    assert after["properties"] == {**before["properties"], "expiration": None}
    assert after["body"] == before["body"]
    assert refreshed(refreshed(raw, NOW), NOW) == refreshed(raw, NOW)


def test_the_rest_keeps_its_bytes_whatever_json_would_make_of_it():
    headers = (
        b'{ "big":123456789012345678901234567890,"e":[],"o" : {},"f":1.10,"u":"\\u00fc", "retries" : 3 ,"eta":"x"}'
    )
    raw = b'{"body": "W10=" , "headers":' + headers + b',\n"properties": {"a" :1e400}, "x": {"retries": 5}}'

    changed = raw.replace(b'"retries" : 3', b'"retries" : 0').replace(b'"eta":"x"', b'"eta":null')
    assert refreshed(raw, NOW) == changed


@pytest.mark.parametrize(
    "raw", [b"", b"\xff", b"{", b"[1]", b'{"headers": 5}', b'{"headers": {1: 2}}', b'{"headers": {"eta"']
)
def test_what_is_no_message_comes_back_as_it_is(raw):
    assert refreshed(raw, NOW) == raw
