"""What the transport promises, on real workers and a real server, with a lease of 3 seconds.

With prefork, and what depends on the pool with each; DELIVERY_POOL=short-tasks, or another one, runs all with that.
"""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import psutil
import pytest
from celery import Celery

from devstack.deliveries import in_flight, settled
from devstack.valkey import Valkey
from devstack.waiting import wait_for
from devstack.worker import WorkerProcess
from taskclient.client import TaskClient
from taskclient.errors import TaskFailed

LEASE = 3.0
SLEEP = "app.tasks.delivery.sleep"
OWN_POOLS = {"short-tasks": "workerkit.short_tasks.pool:TaskPool", "coroutines": "workerkit.async_tasks.pool:AsyncPool"}
POOLS = ["prefork", "threads", "solo", *OWN_POOLS]
SEND_CHORD = """
import sys
from celery import Celery, chord, signature
app = Celery(broker=sys.argv[1], backend=sys.argv[2])
def task(kind, /, **kwargs):
    return signature("app.tasks.delivery." + kind, kwargs=kwargs, queue="delivery", app=app, immutable=True)
header = [task("sleep", name="fine"), task("die", name="p", whom="process")]
print(chord(header, task("sleep", name="body"), app=app).apply_async().id)
"""
Start = Callable[..., WorkerProcess]


@pytest.fixture
def start(start_worker: Start) -> Start:
    numbers = itertools.count()

    def run(
        server: Valkey, *, pool: str = os.environ.get("DELIVERY_POOL", "prefork"), **settings: str
    ) -> WorkerProcess:
        own = {"CELERY_CUSTOM_WORKER_POOL": OWN_POOLS[pool]} if pool in OWN_POOLS else {}
        if pool == "coroutines":
            own["COROUTINES"] = "1"
        arguments = (f"--hostname=worker-{next(numbers)}@test", f"--pool={'custom' if own else pool}")
        return start_worker(server, "delivery", *arguments, **{"TASK_LEASE_SECONDS": str(LEASE), **own, **settings})

    return run


def letters(valkey: Valkey) -> list[dict[str, object]]:
    with valkey.client() as redis:
        return [json.loads(text) for text in redis.hvals("worker:delivery:dead:letters")]


def test_a_dead_workers_messages_are_back_after_its_lease_and_first(
    valkey: Valkey, start: Start, client: TaskClient
) -> None:
    first, second = start(valkey), start(valkey)
    for number in range(4):
        client.send(SLEEP, name=f"held-{number}", seconds=200 if number < 4 else 0)
    wait_for(lambda: all(first.trace(f"held-{n}") == ["start"] for n in range(4)))
    first.kill()
    began = time.monotonic()
    wait_for(lambda: sum(len(second.trace(f"held-{n}")) for n in range(4)) == 4, seconds=1)
    second.kill()
    third = start(valkey)
    for number in range(4):
        client.send(SLEEP, name=f"later-{number}")
    wait_for(lambda: all(third.trace(f"later-{n}") == ["start", "end"] for n in range(4)))
    wait_for(lambda: sum(len(third.trace(f"held-{n}")) for n in range(4)) >= 6)
    assert time.monotonic() - began < 150


@pytest.mark.parametrize("pool", POOLS)
def test_a_task_longer_than_the_lease_runs_once(pool: str, valkey: Valkey, start: Start, client: TaskClient) -> None:
    worker = start(valkey, pool=pool)
    start(valkey, pool=pool)
    handles = [client.send(SLEEP, name=f"long-{n}", seconds=3 * LEASE) for n in range(2)]
    assert [handle.result(60) for handle in handles] == ["long-0", "long-1"]
    assert worker.trace("long-0") == worker.trace("long-1") == ["start", "end"]


@pytest.mark.parametrize("pool", ["prefork", "threads", *OWN_POOLS])
def test_lost_connections_rerun_nothing(pool: str, valkey: Valkey, start: Start, client: TaskClient) -> None:
    worker = start(valkey, pool=pool)
    handles = [client.send(SLEEP, name=f"task-{n}", seconds=2) for n in range(6)]
    wait_for(lambda: worker.trace("task-0") == ["start"])
    for _ in range(3):
        valkey.close_connections()
        time.sleep(0.7)
    for handle in handles:
        handle.result(60)
    assert [worker.trace(f"task-{n}") for n in range(6)] == [["start", "end"]] * 6
    assert worker.alive()
    wait_for(lambda: settled(valkey, "delivery"))


def test_a_remote_control_that_fails_beside_a_replaced_process_does_not_stop_the_worker(
    valkey: Valkey, start: Start, client: TaskClient
) -> None:
    worker = start(valkey, pool="prefork")
    main = psutil.Process(worker.pid)
    client.send(SLEEP, name="before").result(60)  # Celery ends if a process is gone when its loop begins
    dead, _ = main.children()
    dead.kill()
    wait_for(lambda: len(main.children()) == 2 and dead not in main.children())
    with Celery(broker=valkey.url) as app:
        for _ in range(2):
            # No pattern that can be read: Celery closes its channel for remote control and opens another.
            app.control.broadcast("ping", pattern="(", matcher="pcre")
            assert client.send(SLEEP, name="after").result(60) == "after"
            assert app.control.ping(timeout=5, limit=1)
    assert main.cpu_percent(interval=2) < 50  # percent of a processor; it would take all of one


def test_a_broker_away_for_longer_than_the_lease_reruns_nothing(own_valkey: Valkey, start: Start) -> None:
    first, second = start(own_valkey), start(own_valkey)
    with TaskClient(own_valkey.url) as client:
        handles = [client.send(SLEEP, name=f"task-{n}", seconds=3 * LEASE) for n in range(4)]
        wait_for(lambda: all(first.trace(f"task-{n}") == ["start"] for n in range(4)))
        own_valkey.kill()
        time.sleep(2 * LEASE)
        own_valkey.start()
        own_valkey.wait_ready()
        for handle in handles:
            handle.result(60)
        time.sleep(LEASE + 2)
        assert [first.trace(f"task-{n}") for n in range(4)] == [["start", "end"]] * 4
        assert first.alive()
        assert second.alive()
        wait_for(lambda: settled(own_valkey, "delivery"))


def test_a_countdown_waits_in_redis_and_survives_everything(own_valkey: Valkey, start: Start) -> None:
    worker = start(own_valkey)
    with TaskClient(own_valkey.url) as client:
        handles = [client.send(SLEEP, countdown=12, name=f"task-{n}") for n in range(10)]
        with own_valkey.client() as redis:
            wait_for(lambda: redis.zcard("worker:delivery:delayed") == 10)
            assert redis.llen("delivery") == 0
        wait_for(lambda: in_flight(own_valkey, "delivery") == 0)
        worker.kill()
        own_valkey.kill()
        own_valkey.start()
        own_valkey.wait_ready()
        worker = start(own_valkey)
        for handle in handles:
            handle.result(60)
        assert [worker.trace(f"task-{n}") for n in range(10)] == [["start", "end"]] * 10


def test_a_retry_waits_in_redis(valkey: Valkey, start: Start, client: TaskClient) -> None:
    worker = start(valkey)
    assert client.send("app.tasks.delivery.again", name="again", times=3).result(60) == "again"
    assert worker.trace("again") == ["start"] * 3
    assert letters(valkey) == []


def test_a_task_that_kills_its_process_ends_as_a_letter(valkey: Valkey, start: Start, client: TaskClient) -> None:
    worker = start(valkey)
    poison = client.send("app.tasks.delivery.die", name="poison", whom="process")
    others = [client.send(SLEEP, name=f"other-{n}", seconds=0.2) for n in range(20)]
    for other in others:
        other.result(60)
    with pytest.raises(TaskFailed, match="too often"):
        poison.result(60)
    assert worker.trace("poison") == ["start"] * 3
    (letter,) = letters(valkey)
    assert (letter["id"], letter["reason"], letter["list"]) == (poison.id, "delivery limit", "delivery")
    assert worker.alive()


@pytest.mark.parametrize("pool", ["prefork", *OWN_POOLS])
def test_a_task_that_kills_its_worker_condemns_no_neighbour(
    pool: str, valkey: Valkey, start: Start, client: TaskClient
) -> None:
    poison = client.send("app.tasks.delivery.die", name="poison", whom="worker")
    others = [client.send(SLEEP, name=f"other-{n}", seconds=0.3) for n in range(12)]
    worker = start(valkey, pool=pool)
    deadline = time.monotonic() + 90
    while not all(other.status() == "SUCCESS" for other in others) or not letters(valkey):
        assert time.monotonic() < deadline, (letters(valkey), [other.status() for other in others])
        if not worker.alive():
            worker = start(valkey, pool=pool)
        time.sleep(0.2)
    assert worker.trace("poison") == ["start"] * 3
    assert [letter["id"] for letter in letters(valkey)] == [poison.id]
    with pytest.raises(TaskFailed, match="too often"):
        poison.result(60)


def test_a_frozen_worker_does_not_begin_what_others_have_taken(
    valkey: Valkey, start: Start, client: TaskClient
) -> None:
    frozen, other = start(valkey), start(valkey)
    os.kill(other.pid, signal.SIGSTOP)
    handles = [client.send(SLEEP, name=f"task-{n}", seconds=0.1) for n in range(30)]
    wait_for(lambda: in_flight(valkey, "delivery") > 0)
    os.kill(frozen.pid, signal.SIGSTOP)
    os.kill(other.pid, signal.SIGCONT)
    for handle in handles:
        handle.result(60)
    os.kill(frozen.pid, signal.SIGCONT)
    time.sleep(1)
    again = [n for n in range(30) if len(frozen.trace(f"task-{n}")) > 2]
    assert len(again) <= 4  # those its pool had begun, or was about to
    assert client.send(SLEEP, name="next").result(60) == "next"
    wait_for(lambda: settled(valkey, "delivery"))


def test_an_unknown_task_waits_for_a_worker_that_knows_it(valkey: Valkey, start: Start, client: TaskClient) -> None:
    old = start(valkey)
    handle = client.send("app.tasks.delivery.new", name="new")
    with valkey.client() as redis:
        wait_for(lambda: redis.smembers("worker:delivery:parked") == {b"app.tasks.delivery.new"})
    start(valkey, NEW_VERSION="1")
    old.stop()
    assert handle.result(60) == "new"
    with valkey.client() as redis:
        wait_for(lambda: not redis.exists("worker:delivery:parked"))


def test_final_failures_become_letters(valkey: Valkey, start: Start, client: TaskClient) -> None:
    start(valkey)
    failing = client.send("app.tasks.delivery.fail", name="bug")
    refused = client.send(SLEEP, seconds="long")
    for handle in (failing, refused):
        with pytest.raises(TaskFailed):
            handle.result(60)
    wait_for(lambda: len(letters(valkey)) == 2)
    found = {letter["id"]: letter for letter in letters(valkey)}
    assert found[failing.id]["reason"] == "failed"
    assert found[failing.id]["error"] == "ZeroDivisionError: bug"
    assert "delivery_tasks/tasks.py" in str(found[failing.id]["traceback"])
    assert found[refused.id]["reason"] == "refused"
    with valkey.client() as redis:
        raw = json.loads(redis.hget("worker:delivery:dead:raw", failing.id))
    assert raw["headers"]["id"] == failing.id


def test_a_chord_whose_header_kills_its_worker_fails(valkey: Valkey, start: Start, client: TaskClient) -> None:
    start(valkey)
    # In a process of its own: Celery's results are a cycle of objects that want their server when they go.
    send = [sys.executable, "-c", SEND_CHORD, valkey.url, valkey.url.replace("/0", "/1")]
    body_id = subprocess.run(send, check=True, capture_output=True, text=True).stdout.strip()
    with pytest.raises(TaskFailed, match="too often"):
        client.handle(body_id).result(60)


def test_stock_celery_shares_the_queue_and_the_tools(valkey: Valkey, start: Start, client: TaskClient) -> None:
    worker = start(valkey)
    stock = Celery(broker=valkey.url, backend=valkey.url.replace("/0", "/1"))
    stock.conf.task_default_queue = "delivery"
    ids = [stock.send_task(SLEEP, kwargs={"name": f"stock-{n}"}, priority=n % 10).id for n in range(40)]
    assert [client.handle(task_id).result(60) for task_id in ids] == [f"stock-{n}" for n in range(40)]
    inspect = stock.control.inspect(timeout=30, limit=1)
    assert list(inspect.ping()) == ["worker-0@test"]
    assert inspect.stats()
    assert inspect.active_queues()
    stock.control.cancel_consumer("delivery", reply=True, timeout=30, limit=1)
    stock.send_task(SLEEP, kwargs={"name": "waits"})
    time.sleep(1)
    assert worker.trace("waits") == []
    with valkey.client() as redis:
        assert redis.llen("delivery") == 1
    stock.control.add_consumer("delivery", reply=True, timeout=30, limit=1)
    wait_for(lambda: worker.trace("waits") == ["start", "end"])
    stock.close()


def test_a_full_broker_ends_no_worker(own_valkey: Valkey, start: Start) -> None:
    worker = start(own_valkey)
    with TaskClient(own_valkey.url) as client, own_valkey.client() as redis:
        handles = [client.send(SLEEP, name=f"task-{n}", seconds=0.5) for n in range(10)]
        redis.config_set("maxmemory", "1")
        time.sleep(6)
        assert worker.alive()
        redis.config_set("maxmemory", "0")
        for handle in handles:
            handle.result(60)
        assert [worker.trace(f"task-{n}") for n in range(10)] == [["start", "end"]] * 10


def test_an_alert_comes_before_dead_letters_are_dropped(valkey: Valkey, start: Start) -> None:
    worker = start(valkey)
    with valkey.client() as redis:
        redis.set("worker:delivery:dead:bytes", 60 * 1024 * 1024)
        wait_for(lambda: redis.llen("email") == 1)
        time.sleep(2 * LEASE)
        assert redis.llen("email") == 1  # one is enough
        assert json.loads(redis.lindex("email", 0))["headers"]["task"] == "app.tasks.email.send_notification"
    assert worker.log.read_text().count("nearly full") == 1
