"""Messages of RabbitMQ in the form of Redis lists, and back; needs no server."""

import json
from datetime import UTC, datetime

import pytest
from kombu.message import Message

from taskclient.amqp_message import from_raw, to_raw
from taskclient.message import build_message
from taskclient.urls import is_amqp, redis_of


def received(**changed):
    parts = {"body": b"[[],{},{}]", "content_type": "application/json", "content_encoding": "utf-8"}
    return Message(**{**parts, "headers": {"task": "t", "id": "1"}, **changed})


def test_what_the_client_builds_is_published_with_its_body_headers_and_eta():
    eta = datetime(2030, 1, 1, tzinfo=UTC)
    raw = build_message("app.tasks.demo.mark", {"name": "x"}, queue="demo", task_id="7", eta=eta)
    message = from_raw(raw)
    assert json.loads(message.body)[1] == {"name": "x"}
    assert (message.headers["id"], message.content_type, message.eta) == ("7", "application/json", eta.timestamp())
    assert message.properties["correlation_id"] == "7"


def test_a_received_message_comes_back_as_it_was_without_the_brokers_notes():
    notes = {"x-death": [{"time": datetime.now(UTC)}], "x-delivery-count": 2, "x-first-death-queue": "demo"}
    raw = to_raw(received(headers={"task": "t", "id": "1", **notes}, properties={"priority": 3}), "demo")
    again = from_raw(raw)
    assert (again.body, again.headers, again.properties) == (b"[[],{},{}]", {"task": "t", "id": "1"}, {"priority": 3})
    assert json.loads(raw)["properties"]["delivery_info"] == {"exchange": "", "routing_key": "demo"}


def test_each_delivery_of_a_message_gives_the_same_bytes():
    again = received(headers={"task": "t", "id": "1", "x-delivery-count": 1}, delivery_tag=9)
    assert to_raw(received(), "demo") == to_raw(again, "demo")


@pytest.mark.parametrize("raw", [b"", b"\xff", b"[]", b"{}", b'{"properties": {}, "body": 3}', b"[" * 100_000])
def test_what_is_no_message_is_published_as_it_is(raw):
    assert (from_raw(raw).body, from_raw(raw).headers) == (raw, {})


@pytest.mark.parametrize("eta", [None, "soon", 3, ""])
def test_an_unreadable_eta_is_none(eta):
    assert from_raw(to_raw(received(headers={"eta": eta}), "demo")).eta is None


def test_redis_is_the_broker_or_named_beside_rabbitmq(monkeypatch):
    monkeypatch.delenv("TASK_REDIS_URL", raising=False)
    assert is_amqp("amqps://host")
    assert redis_of("redis://a/0", "redis://b/0") == "redis://a/0"
    assert redis_of("amqp://host//", "redis://b/0") == "redis://b/0"
    with pytest.raises(ValueError, match="TASK_REDIS_URL"):
        redis_of("amqp://user:secret@host//")
    monkeypatch.setenv("TASK_REDIS_URL", "redis://c/0")
    assert redis_of("amqp://host//") == "redis://c/0"
