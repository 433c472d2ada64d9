"""Many tasks in one call: all are sent, or it is said which ones are not."""

import json
from collections.abc import Iterator

import pytest

from devstack.valkey import Valkey
from taskclient.client import TaskClient
from taskclient.errors import BatchInterrupted, BatchRefused, QueueFull

NAME = "app.tasks.batch.add"
QUEUE = "batch"
NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture(autouse=True)
def empty_queue(valkey: Valkey) -> Iterator[None]:
    yield
    with valkey.client() as broker:
        broker.delete(QUEUE)


def sent_ids(broker) -> list[str]:
    """In the order in which they will be run."""
    return [json.loads(raw)["headers"]["id"] for raw in reversed(broker.lrange(QUEUE, 0, -1))]


def test_all_are_sent_in_order(valkey, broker):
    with TaskClient(valkey.url) as client:
        tasks = client.send_many(NAME, ({"a": number} for number in range(1_234)), correlation_id="c-1")
    assert [task.id for task in tasks] == sent_ids(broker)
    last = json.loads(broker.lindex(QUEUE, 0))
    assert last["headers"]["kwargsrepr"] == "{'a': ...}"
    assert last["headers"]["x-correlation-id"] == "c-1"
    assert last["properties"]["correlation_id"] == tasks[-1].id


def test_each_message_is_the_one_that_send_makes(valkey, broker):
    with TaskClient(valkey.url) as client:
        client.send_payload(NAME, {"a": 1}, task_id="same", countdown=60, expires=90)
        client.send_many(NAME, [{"a": 1}], task_ids=["same"], countdown=60, expires=90)
    one, other = (json.loads(raw) for raw in broker.lrange(QUEUE, 0, -1))
    for message in (one, other):
        for place, name in (
            ("properties", "delivery_tag"),
            ("properties", "expiration"),
            ("headers", "eta"),
            ("headers", "expires"),
            ("headers", "x-published-at"),
            ("headers", "x-due-at"),
        ):
            assert message[place].pop(name)
    assert one == other


def test_one_bad_payload_means_that_nothing_is_sent(valkey, broker):
    payloads = [{"a": 1}, {"a": object()}, {"a": 2}, {"a": "x" * 300_000}]
    with TaskClient(valkey.url) as client, pytest.raises(BatchRefused, match="2 payloads cannot be sent") as refused:
        client.send_many(NAME, payloads)
    assert list(refused.value.problems) == [1, 3]
    assert refused.value.errors[1] == [{"field": "a", "problem": "has no JSON form"}]
    assert refused.value.errors[3][0]["field"] == "payload"
    assert "Number 1: a: has no JSON form" in str(refused.value)
    assert "Number 3: payload: The payload" in str(refused.value)
    assert broker.llen(QUEUE) == 0


def test_a_queue_that_gets_full_takes_whole_round_trips_only(valkey, broker):
    ids = [f"t{number}" for number in range(1_200)]
    with TaskClient(valkey.url, max_backlog=700) as client, pytest.raises(BatchInterrupted) as interrupted:
        client.send_many(NAME, [{} for _ in ids], task_ids=ids)
    assert interrupted.value.sent == sent_ids(broker) == ids[:500]
    assert interrupted.value.unsent == ids[500:]
    assert isinstance(interrupted.value.__cause__, QueueFull)


def test_a_broker_that_is_away_has_got_none():
    with (
        TaskClient(NOWHERE) as client,
        pytest.raises(BatchInterrupted, match="0 tasks were sent, 2 were not") as failed,
    ):
        client.send_many(NAME, [{}, {}], task_ids=["a", "b"])
    assert (failed.value.sent, failed.value.unsent) == ([], ["a", "b"])


@pytest.mark.parametrize("ids", [["a"], ["a", "a"], ["a", "b", "c"]])
def test_ids_must_fit_the_payloads(valkey, ids):
    with TaskClient(valkey.url) as client, pytest.raises(ValueError, match="for 2 payloads"):
        client.send_many(NAME, [{}, {}], task_ids=ids)


def test_each_task_has_its_idempotency_key(valkey, broker):
    with TaskClient(valkey.url) as client:
        client.send_many(NAME, [{}, {}], idempotency_keys=["order-1", "order-2"])
    keys = [json.loads(raw)["headers"]["idempotency-key"] for raw in reversed(broker.lrange(QUEUE, 0, -1))]
    assert keys == ["order-1", "order-2"]


@pytest.mark.parametrize("keys", [["a"], ["a", ""]])
def test_keys_must_fit_the_payloads(valkey, broker, keys):
    with TaskClient(valkey.url) as client, pytest.raises(ValueError, match="key"):
        client.send_many(NAME, [{}, {}], idempotency_keys=keys)
    assert broker.llen(QUEUE) == 0


def test_an_empty_batch_sends_nothing(valkey, broker):
    with TaskClient(valkey.url) as client:
        assert client.send_many(NAME, []) == []
    assert broker.llen(QUEUE) == 0
