"""What a new version would not understand is found wherever it waits, among any number of others."""

import json

import pytest
from celery import Celery

from taskclient.catalog import CatalogEntry, publish_catalog
from taskclient.client import TaskClient
from taskclient.deployment import REFUSED, UNKNOWN, UNREADABLE
from taskclient.message import build_message
from taskclient.pending import DELAYED, IN_FLIGHT, PARKED, WAITING

ADD, SUB = "app.tasks.depot.add", "app.tasks.depot.sub"
MANY = 5000


def entry(name: str, *required: str, service: str = "depot", **properties) -> CatalogEntry:
    parameters = {"type": "object", "properties": properties, "required": [*required], "additionalProperties": False}
    return CatalogEntry(name=name, queue="depot", service=service, description="", parameters=parameters, result={})


NUMBERS = {"a": {"type": "integer"}, "b": {"type": "integer"}}
NEW = [entry(ADD, "a", **NUMBERS)]


@pytest.fixture
def client(letters_valkey):
    with TaskClient(letters_valkey.url, check=False) as connected:
        yield connected


@pytest.fixture
def redis(letters_valkey):
    with letters_valkey.client() as connected:
        yield connected


def raw(task_id: str, name: str = ADD, **payload) -> bytes:
    return build_message(name, payload or {"a": 1}, queue="depot", task_id=task_id)


def hold(redis, tag: str, message: bytes) -> None:
    redis.zadd("worker:depot:holders", {"host:1:x": 9e12})
    redis.hset("worker:depot:inflight:host:1:x", tag, b"depot\n" + message)


def park(redis, message: bytes, name: str) -> None:
    redis.sadd("worker:depot:parked", name)
    redis.lpush(f"worker:depot:parked:{name}", b"depot\t1000\n" + message)


def delay(redis, *messages: bytes) -> None:
    redis.zadd("worker:depot:delayed", {f"h:{n}\ndepot\n".encode() + one: 9e12 + n for n, one in enumerate(messages)})


def test_nothing_waits(client):
    found = client.can_deploy("depot", NEW)
    assert found.safe
    assert found.checked.total() == 0


def test_each_place_is_looked_at(client, redis):
    redis.lpush("depot", raw("w-0", a="x"), raw("fine"))
    redis.lpush("depot\x06\x169", raw("w-9", a="x"))
    delay(redis, raw("d", a="x"), raw("fine"))
    hold(redis, "1", raw("i", a="x"))
    park(redis, raw("p", a="x"), ADD)
    publish_catalog(redis, "depot", [entry(ADD).model_copy(update={"queue": "old-queue"})])
    redis.lpush("old-queue", raw("o", a="x"))

    found = client.can_deploy("depot", NEW)
    assert {one.id: (one.place, one.queue) for one in found.found} == {
        "w-0": (WAITING, "depot"),
        "w-9": (WAITING, "depot\x06\x169"),
        "o": (WAITING, "old-queue"),
        "d": (DELAYED, "depot"),
        "i": (IN_FLIGHT, "depot"),
        "p": (PARKED, "depot"),
    }
    assert found.checked == {WAITING: 4, DELAYED: 2, IN_FLIGHT: 1, PARKED: 1}
    assert found.total == {REFUSED: 6}


def test_why_a_message_is_not_understood(client, redis):
    publish_catalog(redis, "depot", [entry(ADD, **NUMBERS), entry(SUB, **NUMBERS)])
    redis.lpush("depot", raw("gone", SUB, a=1), raw("fields", a="x", c=1), raw("less", b=1), raw("wrong", b="x"), b"-")

    found = {one.id: one for one in client.can_deploy("depot", NEW).found}
    assert {key: one.reason for key, one in found.items()} == {
        "gone": UNKNOWN,
        "fields": REFUSED,
        "less": REFUSED,
        "wrong": REFUSED,
        "": UNREADABLE,
    }
    assert {wrong["field"] for wrong in found["fields"].errors} == {"a", "c"}
    assert found["less"].errors == ({"field": "a", "problem": "is missing"},)
    assert {key for key, one in found.items() if one.fits_now} == {"gone", "less"}


def test_messages_of_plain_celery_count_too(client, redis, letters_valkey):
    with Celery(broker=letters_valkey.url, set_as_current=False) as app:
        send = lambda *args, **kwargs: app.send_task(ADD, args, kwargs, queue="depot").id  # noqa: E731
        fine = [send(1, 2), send(1, b=2), send(a=1)]
        bad = [send("x"), send(1, 2, 3), send(1, a=2)]
        app.send_task("celery.backend_cleanup", queue="depot")
        app.conf.task_protocol = 1
        app.amqp.__dict__.pop("create_task_message", None)
        old = [send(1), send("x")]

    assert sum("task" not in json.loads(message)["headers"] for message in redis.lrange("depot", 0, -1)) == len(old)

    found = client.can_deploy("depot", NEW)
    assert {one.id for one in found.found} == {*bad, old[1]}
    assert found.checked[WAITING] == len(fine) + len(bad) + len(old) + 1


def test_the_wrong_one_among_thousands_in_each_place_is_found(client, redis):
    fine = [raw(f"fine-{number}") for number in range(MANY)]
    place = MANY // 2
    messages = [*fine[:place], raw("wrong", a=None), *fine[place:]]
    redis.lpush("depot", *messages)
    delay(redis, *messages)
    for message in messages:
        hold(redis, str(redis.incr("tag")), message)
    redis.sadd("worker:depot:parked", ADD)
    redis.lpush(f"worker:depot:parked:{ADD}", *(b"depot\t1000\n" + message for message in messages))

    found = client.can_deploy("depot", NEW)
    assert [(one.id, one.place) for one in found.found] == [
        ("wrong", IN_FLIGHT),
        ("wrong", PARKED),
        ("wrong", DELAYED),
        ("wrong", WAITING),
    ]
    assert found.checked == dict.fromkeys((WAITING, DELAYED, IN_FLIGHT, PARKED), MANY + 1)


def test_only_some_are_named_and_all_are_counted(client, redis):
    redis.lpush("depot", *(raw(f"wrong-{number}", a="x") for number in range(20)))
    found = client.can_deploy("depot", NEW, most=5)
    assert (len(found.found), found.total) == (5, {REFUSED: 20})


def test_what_is_sent_meanwhile_hides_nothing(client, redis, monkeypatch):
    """Each answer of Redis finds the list longer at its left and shorter at its right, as producers and workers do."""
    redis.lpush("depot", *(raw(f"fine-{number}") for number in range(2500)), raw("wrong", a="x"))
    redis.lpush("depot", *(raw(f"later-{number}") for number in range(1500)))
    broker = client._broker
    read = broker.lrange

    def lrange(name, start, end):
        answer = read(name, start, end)
        if name == "depot" and answer:
            redis.lpush("depot", *(raw(f"new-{start}-{number}") for number in range(700)))
            redis.rpop("depot", 700)
        return answer

    monkeypatch.setattr(broker, "lrange", lrange)
    assert "wrong" in {one.id for one in client.can_deploy("depot", NEW).found}


def test_nothing_is_changed(client, redis):
    redis.lpush("depot", raw("w", a="x"))
    delay(redis, raw("d"))
    hold(redis, "1", raw("i"))
    park(redis, raw("p"), ADD)
    everything = lambda: {key: redis.dump(key) for key in redis.scan_iter()}  # noqa: E731
    before = everything()
    client.can_deploy("depot", NEW)
    assert everything() == before


def test_a_service_without_a_contract_and_a_wrong_schema(client):
    with pytest.raises(ValueError, match="no contract of a service 'other'"):
        client.can_deploy("other", NEW)
    with pytest.raises(ValueError, match=ADD):
        client.can_deploy("depot", [entry(ADD).model_copy(update={"parameters": {"type": "nonsense"}})])


def test_rabbitmq_cannot_be_looked_into(letters_valkey):
    with (
        TaskClient("amqp://127.0.0.1:1//", redis_url=letters_valkey.url) as client,
        pytest.raises(ValueError, match="RabbitMQ"),
    ):
        client.can_deploy("depot", NEW)
