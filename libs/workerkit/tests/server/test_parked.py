"""Messages of unknown tasks do not wait for ever: after the time that dead letters are kept, they become such."""

import json
import time
from collections.abc import Callable

import pytest

from devstack.valkey import Valkey
from devstack.waiting import wait_for
from devstack.worker import WorkerProcess
from taskclient.client import TaskClient
from taskclient.errors import TaskFailed
from taskclient.letters import UNKNOWN_TASK

NEW = "app.tasks.delivery.new"
PARKED = f"worker:delivery:parked:{NEW}"
DAYS = 86_400.0
Start = Callable[..., WorkerProcess]


@pytest.fixture
def start(valkey: Valkey, start_worker: Start) -> Start:
    def run(**settings: str) -> WorkerProcess:
        return start_worker(valkey, "delivery", **{"TASK_LEASE_SECONDS": "3", **settings})

    return run


def parked_days_ago(client: TaskClient, valkey: Valkey, days: float) -> bytes:
    """Write a parked message as a worker would have done it so many days ago; it can only be older than the others."""
    handle = client.send(NEW, name="old", task_id=f"old-{days:g}")
    with valkey.client() as redis:
        raw = redis.lpop("delivery")
        since = int((time.time() - days * DAYS) * 1000)
        redis.sadd("worker:delivery:parked", NEW)
        redis.lpush(PARKED, f"delivery\t{since}\n".encode() + raw)
    assert handle.id.encode() in raw
    return raw


def test_they_become_dead_letters_after_thirty_days(start: Start, client: TaskClient, valkey: Valkey) -> None:
    raw = parked_days_ago(client, valkey, 30.01)
    parked_days_ago(client, valkey, 29.9)
    start()
    dead = client.dead_letters("delivery")
    wait_for(lambda: dead.count() == 1)
    letter = dead.show("old-30.01")
    assert letter.raw == raw
    assert (letter.letter.reason, letter.letter.task, letter.letter.list) == (UNKNOWN_TASK, NEW, "delivery")
    assert letter.letter.error == "no worker knew its name for 30 days"
    (stats,) = dead.get_dlq_stats()
    assert (stats.reasons, stats.parked) == ({UNKNOWN_TASK: 1}, {NEW: 1})
    with pytest.raises(TaskFailed, match="no worker knew"):
        client.handle("old-30.01").result(60)


def test_a_worker_that_knows_the_task_runs_even_the_oldest(start: Start, client: TaskClient, valkey: Valkey) -> None:
    parked_days_ago(client, valkey, 300)
    start(NEW_VERSION="1")
    assert client.handle("old-300").result(60) == "old"
    assert client.dead_letters("delivery").count() == 0
    with valkey.client() as redis:
        assert not redis.exists("worker:delivery:parked", PARKED)


def test_such_a_letter_is_replayed_once_the_task_is_known(start: Start, client: TaskClient, valkey: Valkey) -> None:
    parked_days_ago(client, valkey, 31)
    worker = start()
    dead = client.dead_letters("delivery")
    wait_for(lambda: dead.count() == 1)
    worker.stop()
    worker = start(NEW_VERSION="1")
    dead.replay("old-31")
    wait_for(lambda: worker.trace("old") == ["start"])


def test_a_new_one_says_since_when_it_is_parked(start: Start, client: TaskClient, valkey: Valkey) -> None:
    began = time.time()
    start()
    handle = client.send(NEW, name="new")
    dead = client.dead_letters("delivery")
    wait_for(lambda: dead.get_dlq_stats()[0].parked == {NEW: 1})
    (message,) = dead.parked(NEW)
    assert json.loads(message.raw)["headers"]["id"] == handle.id
    assert message.list == "delivery"
    assert message.since is not None
    assert began - 1 < message.since < time.time() + 1


def test_one_that_does_not_say_when_it_was_parked_counts_from_now(
    start: Start, client: TaskClient, valkey: Valkey
) -> None:
    with valkey.client() as redis:
        redis.sadd("worker:delivery:parked", NEW)
        redis.lpush(PARKED, *(f"delivery\nmessage {number}" for number in range(150)))
    start()
    dead = client.dead_letters("delivery")
    wait_for(lambda: sum(message.since is not None for message in dead.parked(NEW)) >= 100)
    assert sorted(message.raw for message in dead.parked(NEW)) == sorted(f"message {n}".encode() for n in range(150))
    assert {message.list for message in dead.parked(NEW)} == {"delivery"}
    assert dead.count() == 0


def test_many_at_once_become_letters_in_small_steps(start: Start, client: TaskClient, valkey: Valkey) -> None:
    with valkey.client() as redis:
        since = int((time.time() - 40 * DAYS) * 1000)
        for task in ("a", "b"):
            redis.sadd("worker:delivery:parked", task)
            redis.lpush(f"worker:delivery:parked:{task}", *(f"delivery\t{since}\n{task}{n}" for n in range(110)))
    worker = start()
    wait_for(lambda: client.dead_letters("delivery").count() == 220, 30)
    wait_for(lambda: worker.log.read_text().count("parked messages became dead letters") == 9)
    with valkey.client() as redis:
        assert not redis.exists("worker:delivery:parked", "worker:delivery:parked:a", "worker:delivery:parked:b")
