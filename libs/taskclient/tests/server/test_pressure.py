"""What a producer is told when a queue or Redis is too full, and that nothing is sent then."""

import contextlib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
from celery import Celery

from devstack.valkey import Valkey
from devstack.waiting import wait_for
from taskclient.client import TaskClient
from taskclient.errors import BrokerFull, BrokerUnavailable, QueueFull

NAME = "app.tasks.pressure.add"
QUEUE = "pressure"


@pytest.fixture
def own_broker(own_valkey: Valkey) -> Iterator[redis.Redis]:
    with own_valkey.client() as broker:
        yield broker


@pytest.fixture(autouse=True)
def empty_queue(valkey: Valkey) -> Iterator[None]:
    yield
    with valkey.client() as broker:
        broker.delete(QUEUE, f"{QUEUE}\x06\x163")


def use_share_of_maxmemory(broker: redis.Redis, share: float) -> None:
    broker.config_set("maxmemory", 0)
    broker.setrange("ballast", 20_000_000, b"x")  # beside it, what the server needs for its connections is nothing
    broker.config_set("maxmemory", int(broker.info("memory")["used_memory"] / share))


def fill_up(broker: redis.Redis) -> None:
    """Write until Redis itself refuses, and take away more than it may still find by tidying up."""
    broker.config_set("maxmemory", broker.info("memory")["used_memory"] + 20_000_000)
    with contextlib.suppress(redis.OutOfMemoryError):
        for number in range(1_000):
            broker.set(f"ballast:{number}", b"x" * 100_000)
    broker.config_set("maxmemory", broker.info("memory")["used_memory"] // 2)


def was_sent(client: TaskClient) -> bool:
    try:
        client.send(NAME)
    except BrokerFull:
        return False
    return True


def test_a_full_queue_takes_no_more_until_a_worker_has_taken_one(valkey, broker):
    with TaskClient(valkey.url, max_backlog=3) as client:
        for _ in range(3):
            client.send(NAME)

        with pytest.raises(QueueFull, match=r"3 messages wait in queue pressure.*its limit is 3.*TASK_MAX_BACKLOG"):
            client.send(NAME)

        assert broker.llen(QUEUE) == 3
        broker.rpop(QUEUE)
        client.send(NAME)
        assert broker.llen(QUEUE) == 3


def test_messages_of_other_priorities_count(valkey, broker):
    broker.lpush(f"{QUEUE}\x06\x163", "urgent", "urgent")
    with TaskClient(valkey.url, max_backlog=2) as client, pytest.raises(QueueFull):
        client.send(NAME)

    assert broker.llen(QUEUE) == 0


def test_another_queue_is_not_affected(valkey, broker):
    with TaskClient(valkey.url, max_backlog=1) as client:
        client.send(NAME)
        client.send(NAME, queue="beside")

    assert broker.llen("beside") == 1
    broker.delete("beside")


def test_the_limit_is_exact_however_many_send_at_once(valkey, broker):
    with TaskClient(valkey.url, max_backlog=50) as client:

        def send(_: int) -> bool:
            try:
                client.send(NAME)
            except QueueFull:
                return False
            return True

        with ThreadPoolExecutor(8) as threads:
            sent = sum(threads.map(send, range(160)))

    assert sent == broker.llen(QUEUE) == 50


def test_the_environment_sets_the_limit_and_an_argument_outranks_it(valkey, broker, monkeypatch):
    monkeypatch.setenv("TASK_MAX_BACKLOG", "1")
    with TaskClient(valkey.url) as client, TaskClient(valkey.url, max_backlog=0) as unlimited:
        client.send(NAME)
        with pytest.raises(QueueFull):
            client.send(NAME)
        unlimited.send(NAME)

    assert broker.llen(QUEUE) == 2


def test_what_workers_send_by_celery_is_never_refused(valkey, broker):
    """A retry that is refused would be a lost task."""
    with TaskClient(valkey.url, max_backlog=1) as client, Celery(broker=valkey.url, set_as_current=False) as app:
        client.send(NAME)
        app.send_task(NAME, queue=QUEUE)

    assert broker.llen(QUEUE) == 2


def test_a_redis_with_little_room_takes_no_more_until_it_has_more(own_valkey, own_broker):
    with TaskClient(own_valkey.url) as client:
        use_share_of_maxmemory(own_broker, 0.9)

        with pytest.raises(BrokerFull, match=r"Redis uses [\d,]+ bytes, \d+% of its maxmemory of .* may fill 80%"):
            client.send(NAME)
        with pytest.raises(BrokerFull, match="raise maxmemory"):  # within the second: Redis is not asked again
            client.send(NAME)

        assert own_broker.llen(QUEUE) == 0
        use_share_of_maxmemory(own_broker, 0.5)
        wait_for(lambda: was_sent(client))
        assert own_broker.llen(QUEUE) == 1


def test_memory_that_runs_short_is_noticed_within_a_second(own_valkey, own_broker):
    with TaskClient(own_valkey.url) as client:
        client.send(NAME)
        use_share_of_maxmemory(own_broker, 0.9)

        wait_for(lambda: not was_sent(client))
        before = own_broker.llen(QUEUE)
        assert not was_sent(client)
        assert own_broker.llen(QUEUE) == before


@pytest.mark.parametrize("max_memory", [0.8, 0])
def test_a_really_full_redis(own_valkey, own_broker, max_memory):
    with TaskClient(own_valkey.url, max_memory=max_memory) as client:
        fill_up(own_broker)
        with pytest.raises(redis.OutOfMemoryError):
            own_broker.lpush("anything", "at all")

        with pytest.raises(BrokerFull, match=r"Nothing was sent.*free memory or raise maxmemory"):
            client.send(NAME)

        assert own_broker.llen(QUEUE) == 0
        own_broker.flushall()
        wait_for(lambda: was_sent(client))
        assert own_broker.llen(QUEUE) == 1


def test_a_user_who_may_only_push_can_send_and_the_backlog_is_checked(own_valkey, own_broker):
    rights = ["+eval", "+evalsha", "+llen", "+lpush"]
    own_broker.acl_setuser("web", enabled=True, passwords="+pw", keys=[QUEUE], commands=rights)
    use_share_of_maxmemory(own_broker, 0.9)
    with TaskClient(f"redis://web:pw@127.0.0.1:{own_valkey.port}/0", max_backlog=1) as client:
        client.send(NAME)  # INFO is forbidden, so the memory is not looked at
        with pytest.raises(QueueFull):
            client.send(NAME)
        with pytest.raises(BrokerUnavailable, match="ACL does not allow"):
            client.send("app.tasks.other.add")

    assert own_broker.llen(QUEUE) == 1


def test_the_memory_is_looked_at_once_a_second_at_most(own_valkey, own_broker):
    began = time.monotonic()
    own_broker.config_resetstat()
    with TaskClient(own_valkey.url) as client:
        for _ in range(500):
            client.send(NAME)
    commands = own_broker.info("commandstats")

    assert commands["cmdstat_lpush"]["calls"] == 500
    assert commands["cmdstat_evalsha"]["calls"] == 500  # one round trip for each, and the script is sent once
    assert commands["cmdstat_eval"]["calls"] == 1
    assert 1 <= commands["cmdstat_info"]["calls"] <= 2 + time.monotonic() - began
