"""The rate limit on a real Valkey."""

import threading

import pytest

from app.adapters.turns import Turns
from taskclient.connection import connect
from workerkit.errors import TransientError


@pytest.fixture
def turns(valkey):
    with connect(valkey.url) as client:
        yield lambda per_second: Turns(client, per_second=per_second)


def test_turns_are_spaced_evenly(turns):
    waits = [turns(0.1).wait_seconds("airports", f"t{number}") for number in range(4)]
    assert [round(wait, -1) for wait in waits] == [0, 10, 20, 30]


def test_each_api_has_its_own(turns):
    assert [turns(0.1).wait_seconds(api, "t1") for api in ("airports", "airlines")] == [0, 0]


def test_who_asks_again_has_the_same_turn(turns):
    limit = turns(0.1)
    limit.wait_seconds("airports", "t1")
    first, again = (limit.wait_seconds("airports", "t2") for _ in range(2))
    assert 9 < again <= first <= 10
    assert limit.wait_seconds("airports", "t3") > 19


def test_a_turn_that_was_taken_is_over(turns):
    limit = turns(0.1)
    assert limit.wait_seconds("airports", "t1") == 0
    assert limit.wait_seconds("airports", "t1") > 9


def test_a_turn_that_was_missed_is_given_anew(turns, valkey):
    with valkey.client() as client:
        now = client.time()[0] * 1000
        client.set("ingestion:turn:airports:t1", now - 6000)
        client.set("ingestion:turns:airports", now + 20_000)
    assert turns(0.1).wait_seconds("airports", "t1") > 15


def test_a_turn_that_came_is_taken_at_once(turns, valkey):
    with valkey.client() as client:
        now = client.time()[0] * 1000
        client.set("ingestion:turn:airports:t1", now - 2000)
        client.set("ingestion:turns:airports", now + 20_000)
    assert turns(0.1).wait_seconds("airports", "t1") == 0


def test_nobody_shares_a_turn(turns):
    waits = []

    def ask(number):
        limit = turns(1)
        waits.extend(limit.wait_seconds("airports", f"{number}-{call}") for call in range(10))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({round(wait) for wait in waits}) >= 45
    assert max(waits) > 45


def test_it_leaves_nothing_behind(turns, valkey):
    for number in range(3):
        turns(1000).wait_seconds("airports", f"t{number}")
    turns(0.1).wait_seconds("airlines", "t1")
    turns(0.1).wait_seconds("airlines", "t2")
    with valkey.client() as client:
        assert [key for key in client.keys("ingestion:*") if client.pttl(key) == -1] == []  # -1: for ever
        assert client.keys("ingestion:turn:airports:*") == []


def test_without_redis_it_is_transient(closed_port):
    limit = Turns(connect(f"redis://127.0.0.1:{closed_port}/0"), per_second=1)
    with pytest.raises(TransientError, match="rate limit of 'airports' could not be asked for"):
        limit.wait_seconds("airports", "t1")
