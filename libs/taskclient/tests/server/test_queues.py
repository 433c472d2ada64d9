"""How full the queues are, and pausing them by name."""

import time

import pytest

from taskclient.catalog import CatalogEntry, publish_catalog
from taskclient.client import TaskClient
from taskclient.errors import UnknownQueue
from taskclient.message import build_message

NINTH = "\x06\x169"  # kombu's list of another priority


def entry(service, queue, name):
    return CatalogEntry(name=name, queue=queue, service=service, description="", parameters={}, result={})


@pytest.fixture
def server(letters_valkey):
    """With two services in the catalog; one of them has two queues."""
    with letters_valkey.client() as server:
        publish_catalog(server, "email", [entry("email", "email", "app.tasks.email.send_email")])
        two = [entry("analytics", queue, f"app.tasks.{queue}.run") for queue in ("stats", "backtest")]
        publish_catalog(server, "analytics", two)
        yield server


@pytest.fixture
def client(letters_valkey):
    with TaskClient(letters_valkey.url, check=False) as client:
        yield client


def message(queue, number=0):
    return build_message(f"app.tasks.{queue}.run", {"number": number}, queue=queue, task_id=f"{queue}-{number}")


def published(raw, seconds_ago):
    """The same message, sent earlier."""
    head, key, rest = raw.partition(b'"x-published-at": ')
    return head + key + str(time.time() - seconds_ago).encode() + rest[rest.index(b"}") :]


@pytest.mark.usefixtures("server")
def test_all_queues_of_the_catalog_are_there(client):
    states = client.queues()
    assert [(one.service, one.queue) for one in states] == [
        ("analytics", "backtest"),
        ("analytics", "stats"),
        ("email", "email"),
    ]
    assert {(one.depth, one.in_flight, one.delayed, one.parked) for one in states} == {(0, 0, 0, 0)}
    assert {(one.oldest_seconds, one.paused) for one in states} == {(None, False)}
    assert [one.queue for one in client.queues("email")] == ["email"]
    assert client.queues("nobody") == []


def test_the_front_of_each_priority_says_how_long_it_has_waited(server, client):
    server.lpush("email", published(message("email"), 50), message("email", 1))
    server.lpush(f"email{NINTH}", published(message("email", 2), 400))
    [email] = client.queues("email")
    assert email.depth == 3
    assert email.oldest_seconds == pytest.approx(400, abs=30)


def test_a_delayed_message_counts_from_its_time(server, client):
    due = message("email").replace(b'"x-published-at": ', f'"x-due-at": {time.time() - 5}, "x-published-at": '.encode())
    server.lpush("email", published(due, 4000))
    assert client.queues("email")[0].oldest_seconds == pytest.approx(5, abs=30)


@pytest.mark.parametrize("raw", [b"\xff no message", b'{"headers": {"x-published-at": "yesterday"}}'])
def test_a_message_that_does_not_say_when_it_was_sent(raw, server, client):
    server.lpush("email", raw)
    [email] = client.queues("email")
    assert (email.depth, email.oldest_seconds) == (1, None)


def test_what_one_service_holds_is_counted_by_queue(server, client):
    server.zadd("worker:analytics:holders", {"a:1:0": 1, "b:1:0": 1})
    held = {str(n): b"stats\n" + message("stats", n) for n in range(3)}
    server.hset("worker:analytics:inflight:a:1:0", mapping={**held, "9": f"backtest{NINTH}\nx"})
    server.hset("worker:analytics:inflight:b:1:0", "1", b"backtest\nx")
    server.zadd("worker:analytics:delayed", {b"a:1:0:7\nstats\n" + message("stats", 7): 1})
    server.sadd("worker:analytics:parked", "app.tasks.backtest.new")
    server.lpush("worker:analytics:parked:app.tasks.backtest.new", b"backtest\t5\nx", b"backtest\t6\ny")
    backtest, stats = client.queues("analytics")
    assert (stats.in_flight, stats.delayed, stats.parked) == (3, 1, 0)
    assert (backtest.in_flight, backtest.delayed, backtest.parked) == (2, 0, 2)


def test_a_long_delay_list_is_estimated(server, client):
    members = {f"h:{n}\n{'stats' if n % 4 else 'backtest'}\n{n}": n for n in range(4000)}
    server.zadd("worker:analytics:delayed", members)
    server.zadd("worker:email:delayed", {f"h:{n}\nemail\n{n}": n for n in range(4000)})
    backtest, stats, email = client.queues()
    assert backtest.delayed + stats.delayed == pytest.approx(4000, abs=1)
    assert 500 < backtest.delayed < 1700
    assert email.delayed == 4000


def test_pausing_is_written_for_the_service_s_workers(server, client):
    assert client.pause("stats")
    assert not client.pause("stats")
    assert server.smembers("worker:analytics:paused") == {b"stats"}
    assert [one.paused for one in client.queues()] == [False, True, False]
    assert client.resume("stats")
    assert not client.resume("stats")
    assert not server.exists("worker:analytics:paused")


@pytest.mark.usefixtures("server")
def test_an_unknown_queue_is_refused(client):
    with pytest.raises(UnknownQueue, match="did you mean stats"):
        client.pause("stat")
    with pytest.raises(UnknownQueue, match="`tasks queues` shows all"):
        client.resume("worker:analytics:paused")
