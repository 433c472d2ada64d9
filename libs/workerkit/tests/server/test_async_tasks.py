"""What the pool for coroutines promises, on real workers and a real server, with a lease of 5 seconds."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest
from celery import Celery

from devstack.deliveries import settled
from devstack.postgres import Postgres
from devstack.valkey import Valkey
from devstack.waiting import wait_for
from devstack.worker import WorkerProcess
from taskclient.client import TaskClient
from taskclient.errors import TaskFailed
from taskclient.message import build_message

LEASE = 5.0
TASK = "app.tasks.aio."
HOST = "aio@test"
CANVAS = """
import sys
from celery import Celery, chain, chord, signature
app = Celery(broker=sys.argv[1], backend=sys.argv[2])
def task(name, kind="sleep"):
    return signature("app.tasks.aio." + kind, kwargs={"name": name}, queue="aio", app=app, immutable=True)
if sys.argv[3] == "chain":
    print(chain(task("a"), task("b"), task("c"), app=app).apply_async().id)
else:
    header = [task(f"h{n}", "fail" if sys.argv[3] == "broken" and n == 0 else "sleep") for n in range(20)]
    print(chord(header, task("body"), app=app).apply_async().id)
"""
Start = Callable[..., WorkerProcess]


@pytest.fixture
def start(start_worker: Start) -> Start:
    def run(server: Valkey, *arguments: str, host: str = HOST, **settings: Any) -> WorkerProcess:
        settings = {"TASK_LEASE_SECONDS": str(LEASE), **settings}
        return start_worker(server, "async_tasks", f"--hostname={host}", *arguments, **settings)

    return run


@pytest.fixture
def stock(valkey: Valkey) -> Iterator[Celery]:
    app = Celery(broker=valkey.url, backend=valkey.url.replace("/0", "/1"))
    app.conf.task_default_queue = "aio"
    yield app
    app.close()


def letters(valkey: Valkey) -> dict[str, dict[str, Any]]:
    with valkey.client() as redis:
        found = [json.loads(text) for text in redis.hvals("worker:aio:dead:letters")]
    return {letter["id"]: letter for letter in found}


def suspects(valkey: Valkey) -> int:
    with valkey.client() as redis:
        return int(redis.hlen("worker:aio:attempts"))


def children(worker: WorkerProcess) -> list[int]:
    return [child.pid for child in psutil.Process(worker.pid).children()]


def push(valkey: Valkey, total: int, first: int = 0, seconds: float = 0) -> None:
    with valkey.client() as redis:
        for at in range(first, first + total, 500):
            numbers = range(at, min(at + 500, first + total))
            payloads = [{"number": n, "seconds": seconds} for n in numbers]
            messages = (
                build_message(f"{TASK}count", payload, queue="aio", task_id=f"count-{payload['number']}")
                for payload in payloads
            )
            redis.lpush("aio", *messages)


def runs(worker: WorkerProcess) -> Counter[int]:
    return Counter(int(line) for line in worker.trace("all"))


def canvas(valkey: Valkey, kind: str) -> str:
    # In a process of its own: Celery's results are a cycle of objects that want their server when they go.
    send = [sys.executable, "-c", CANVAS, valkey.url, valkey.url.replace("/0", "/1"), kind]
    return subprocess.run(send, check=True, capture_output=True, text=True).stdout.strip()


def test_thousands_run_once_each(valkey: Valkey, start: Start) -> None:
    push(valkey, 2000)
    worker = start(valkey)
    push(valkey, 1000, first=2000)
    wait_for(lambda: settled(valkey, "aio"), seconds=60)
    assert runs(worker) == Counter(range(3000))
    assert letters(valkey) == {}
    with valkey.client() as redis:
        assert len(redis.zrange("worker:aio:holders", 0, -1)) == len(children(worker)) == 2


def test_hundreds_run_at_a_time(valkey: Valkey, start: Start, client: TaskClient) -> None:
    worker = start(valkey, "--concurrency=1")
    client.send(f"{TASK}sleep", name="warm").result(60)
    began = time.monotonic()
    handles = [client.send(f"{TASK}sleep", name=f"n{n}", seconds=1) for n in range(200)]
    assert [handle.result(60) for handle in handles] == [f"n{n}" for n in range(200)]
    assert time.monotonic() - began < 10  # one after the other it would be 200
    assert all(worker.trace(f"n{n}") == ["start", "end"] for n in range(200))


def test_no_more_than_the_setting_says_run_at_a_time(valkey: Valkey, start: Start) -> None:
    worker = start(valkey, "--concurrency=1", CELERYCONFIG_WORKER_COROUTINES="3")
    began = time.monotonic()
    push(valkey, 9, seconds=1)
    with valkey.client() as redis:
        most = 0
        while not settled(valkey, "aio"):
            most = max(most, *(redis.hlen(key) for key in redis.keys("worker:aio:inflight:*")), 0)
    assert time.monotonic() - began >= 3
    assert most == 3
    assert runs(worker) == Counter(range(9))


def test_killing_processes_at_full_speed_loses_nothing(valkey: Valkey, start: Start) -> None:
    worker = start(valkey)
    push(valkey, 6000, seconds=0.01)
    for kill in range(3):
        wait_for(lambda: len(worker.trace("all")) > 500 + 1000 * kill and len(children(worker)) == 2)  # noqa: B023
        os.kill(children(worker)[kill % 2], signal.SIGKILL)
    wait_for(lambda: settled(valkey, "aio"), seconds=60)
    found = runs(worker)
    assert found.keys() == set(range(6000))
    assert found.total() - 6000 <= 30  # those that had come to their last line, and no others
    assert letters(valkey) == {}
    assert suspects(valkey) == 0


@pytest.mark.parametrize("how", ["task", "beside", "thread"])
def test_a_poison_ends_as_a_letter_and_its_neighbours_run(
    how: str, valkey: Valkey, start: Start, client: TaskClient
) -> None:
    push(valkey, 50, seconds=0.5)
    poison = client.send(f"{TASK}die", name="poison", how=how)
    push(valkey, 50, first=50, seconds=0.5)
    worker = start(valkey)
    with pytest.raises(TaskFailed, match="too often"):
        poison.result(60)
    wait_for(lambda: settled(valkey, "aio"))
    assert worker.trace("poison") == ["start"] * 3
    assert runs(worker).keys() == set(range(100))
    assert {key: letter["reason"] for key, letter in letters(valkey).items()} == {poison.id: "delivery limit"}


def test_a_poison_in_a_thread_is_found_though_others_are_at_work(
    valkey: Valkey, start: Start, client: TaskClient
) -> None:
    worker = start(valkey, "--concurrency=1")
    neighbours = [client.send(f"{TASK}work", name=f"n{n}", seconds=1.5) for n in range(4)]
    poison = client.send(f"{TASK}die", name="poison", how="thread")
    with pytest.raises(TaskFailed, match="too often"):
        poison.result(60)
    assert worker.trace("poison") == ["start"] * 3
    assert [handle.result(60) for handle in neighbours] == [f"n{n}" for n in range(4)]


def test_neighbours_of_a_poison_are_no_suspects(valkey: Valkey, start: Start, client: TaskClient) -> None:
    worker = start(valkey, "--concurrency=1")
    neighbours = [client.send(f"{TASK}sleep", name=f"n{n}", seconds=4) for n in range(20)]
    wait_for(lambda: all(worker.trace(f"n{n}") == ["start"] for n in range(20)))
    client.send(f"{TASK}die", name="poison")
    wait_for(lambda: len(worker.trace("n0")) == 2)
    assert suspects(valkey) == 1
    assert [handle.result(60) for handle in neighbours] == [f"n{n}" for n in range(20)]


def test_a_task_that_exits_counts_as_a_crash(valkey: Valkey, start: Start, client: TaskClient) -> None:
    worker = start(valkey)
    neighbour = client.send(f"{TASK}sleep", name="neighbour", seconds=3)
    wait_for(lambda: worker.trace("neighbour") == ["start"])
    poison = client.send(f"{TASK}leave", name="exit")
    with pytest.raises(TaskFailed, match="too often"):
        poison.result(60)
    assert worker.trace("exit") == ["start"] * 3
    assert neighbour.result(60) == "neighbour"
    assert worker.trace("neighbour") == ["start", "end"]  # its process has waited for it
    assert client.send(f"{TASK}sleep", name="next").result(60) == "next"


@pytest.mark.parametrize("kind", ["deaf", "crunch"])
def test_the_hard_limit_stops_any_task(kind: str, valkey: Valkey, start: Start, client: TaskClient) -> None:
    worker = start(valkey, "--concurrency=1")
    neighbour = client.send(f"{TASK}sleep", name="neighbour", seconds=4)
    wait_for(lambda: worker.trace("neighbour") == ["start"])
    handle = client.send(f"{TASK}{kind}", name=kind)
    push(valkey, 20)
    with pytest.raises(TaskFailed, match="TimeLimitExceeded"):
        handle.result(60)
    assert neighbour.result(60) == "neighbour"
    wait_for(lambda: settled(valkey, "aio"))
    assert worker.trace(kind) == (["start", "heard"] if kind == "deaf" else ["start"])
    starts = 1 if kind == "deaf" else 2  # only what keeps the loop costs its neighbours a new start
    assert worker.trace("neighbour") == ["start"] * starts + ["end"]
    assert runs(worker) == Counter(range(20))
    assert [letter["reason"] for letter in letters(valkey).values()] == ["time limit"]
    assert suspects(valkey) == 0


def test_a_process_with_an_abandoned_coroutine_is_replaced_at_once(
    valkey: Valkey, start: Start, client: TaskClient
) -> None:
    worker = start(valkey, "--concurrency=1")
    neighbour = client.send(f"{TASK}sleep", name="neighbour", seconds=10)
    wait_for(lambda: worker.trace("neighbour") == ["start"])
    with pytest.raises(TaskFailed, match="TimeLimitExceeded"):
        client.send(f"{TASK}deaf", name="deaf").result(60)
    assert client.send(f"{TASK}sleep", name="next").result(60) == "next"
    assert neighbour.status() == "PENDING"
    assert len(children(worker)) == 2
    assert neighbour.result(60) == "neighbour"
    wait_for(lambda: len(children(worker)) == 1)
    assert worker.trace("neighbour") == ["start", "end"]


@pytest.mark.parametrize("how", ["sleep", "gather", "timeout", "thread", "event"])
def test_the_soft_limit_lets_a_task_clean_up(how: str, valkey: Valkey, start: Start, client: TaskClient) -> None:
    worker = start(valkey, "--concurrency=1")
    assert client.send(f"{TASK}tidy", name="tidy", how=how).result(60) == "cleaned"
    assert worker.trace("tidy") == ["cleaned"]
    with pytest.raises(TaskFailed, match="SoftTimeLimitExceeded"):
        client.send(f"{TASK}slow").result(60)
    assert len(children(worker)) == 1


@pytest.mark.parametrize("beside", [False, True])
def test_the_soft_limit_reaches_a_coroutine_that_does_not_await(
    beside: bool, valkey: Valkey, start: Start, client: TaskClient
) -> None:
    worker = start(valkey, "--concurrency=1")
    neighbour = client.send(f"{TASK}sleep", name="neighbour", seconds=2)
    wait_for(lambda: worker.trace("neighbour") == ["start"])
    assert client.send(f"{TASK}burn", name="burn", beside=beside).result(60) == "cleaned"
    assert neighbour.result(60) == "neighbour"
    assert worker.trace("burn") == ["start", "cleaned"]
    assert worker.trace("neighbour") == ["start", "end"]
    assert any(line["event"] == "the task kept the event loop from all others" for line in worker.records())


def test_retries_failures_and_refusals(valkey: Valkey, start: Start, client: TaskClient) -> None:
    worker = start(valkey)
    retried = client.send(f"{TASK}again", name="again", times=3)
    failing = client.send(f"{TASK}fail", name="bug")
    refused = client.send(f"{TASK}sleep", seconds="long")
    cancelled = client.send(f"{TASK}cancel", name="cancel")
    assert retried.result(60) == "again"
    assert worker.trace("again") == ["start"] * 3
    for handle in (failing, refused, cancelled):
        with pytest.raises(TaskFailed):
            handle.result(60)
    wait_for(lambda: len(letters(valkey)) == 3)
    found = letters(valkey)
    assert (found[failing.id]["reason"], found[refused.id]["reason"]) == ("failed", "refused")
    assert found[failing.id]["error"] == "ZeroDivisionError: bug"
    assert found[cancelled.id]["error"].startswith("CancelledError: ")
    assert "async_tasks_tasks/tasks.py" in found[failing.id]["traceback"]
    assert client.send(f"{TASK}nested").result(60) == "WrongThread"
    wait_for(lambda: settled(valkey, "aio"))


def test_an_early_acknowledgement_is_one_attempt(valkey: Valkey, start: Start, client: TaskClient) -> None:
    worker = start(valkey)
    client.send(f"{TASK}early", name="early")
    wait_for(lambda: worker.trace("early") == ["start"] and len(children(worker)) == 2)
    wait_for(lambda: settled(valkey, "aio"))
    assert client.send(f"{TASK}sleep", name="next").result(60) == "next"
    assert worker.trace("early") == ["start"]


def test_chains_and_chords(valkey: Valkey, start: Start, client: TaskClient) -> None:
    worker = start(valkey)
    assert client.handle(canvas(valkey, "chain")).result(60) == "c"
    assert [worker.trace(name) for name in "abc"] == [["start", "end"]] * 3
    assert client.handle(canvas(valkey, "chord")).result(60) == "body"
    with pytest.raises(TaskFailed, match="ZeroDivisionError"):
        client.handle(canvas(valkey, "broken")).result(60)


def test_one_key_has_one_effect(valkey: Valkey, start: Start, client: TaskClient) -> None:
    worker = start(valkey)
    handles = [client.send(f"{TASK}once", idempotency_key="one", name="once") for _ in range(3)]
    assert [handle.result(60) for handle in handles] == ["once"] * 3
    assert worker.trace("once") == ["start"]


def test_a_lock_is_waited_for_without_keeping_its_owner_from_work(
    valkey: Valkey, start: Start, client: TaskClient
) -> None:
    worker = start(valkey, "--concurrency=1")
    handles = [client.send(f"{TASK}alone", name="alone") for _ in range(3)]
    assert [handle.result(60) for handle in handles] == ["alone"] * 3
    assert worker.trace("alone") == ["start", "end"] * 3


def test_what_cannot_run_is_kept(valkey: Valkey, start: Start, client: TaskClient) -> None:
    worker = start(valkey)
    with valkey.client() as redis:
        redis.lpush("aio", b"\xff\x00 no message", b"[]", b'{"headers": {}}')
        client.send(f"{TASK}unheard_of", name="x")
        wait_for(lambda: redis.smembers("worker:aio:parked") == {f"{TASK}unheard_of".encode()})
        wait_for(lambda: len(letters(valkey)) == 3)
    assert {letter["reason"] for letter in letters(valkey).values()} == {"unreadable"}
    assert client.send(f"{TASK}sleep", name="next").result(60) == "next"
    assert len(children(worker)) == 2


def test_times_are_kept(valkey: Valkey, start: Start, client: TaskClient, stock: Celery) -> None:
    stock.send_task(f"{TASK}old", kwargs={"name": "stale"}, headers={"x-published-at": time.time() - 10})
    worker = start(valkey)
    sent = time.monotonic()
    late = client.send(f"{TASK}sleep", countdown=2, name="late")
    expired = stock.send_task(f"{TASK}sleep", kwargs={"name": "expired"}, expires=-1).id
    assert late.result(60) == "late"
    assert time.monotonic() - sent >= 2
    wait_for(lambda: client.handle(expired).status() == "REVOKED")
    for number in range(8):
        client.send(f"{TASK}limited", number=number)
    wait_for(lambda: len(worker.trace("limited")) == 8)
    first, *_, last = [float(line) for line in worker.trace("limited")]
    assert last - first >= 1.2
    wait_for(lambda: settled(valkey, "aio"))
    assert worker.trace("expired") == worker.trace("stale") == []
    assert [letter["reason"] for letter in letters(valkey).values()] == ["waited too long"]


def test_revoked_tasks_do_not_run_and_only_the_right_one_is_stopped(
    valkey: Valkey, start: Start, client: TaskClient, stock: Celery
) -> None:
    worker = start(valkey, "--concurrency=1", CELERYCONFIG_WORKER_COROUTINES="4")
    names = ("one", "other", "third")
    one, other, third = (client.send(f"{TASK}sleep", name=name, seconds=6) for name in names)
    deaf = stock.send_task(f"{TASK}deaf", kwargs={"name": "deaf"}, time_limit=60, soft_time_limit=50).id
    wait_for(lambda: all(worker.trace(name) == ["start"] for name in (*names, "deaf")))
    pids = children(worker)
    waiting = client.send(f"{TASK}sleep", name="waiting")
    stock.control.revoke(waiting.id, reply=True, timeout=10, limit=1)
    stock.control.revoke(one.id, terminate=True, reply=True, timeout=10, limit=1)
    wait_for(lambda: one.status() == "REVOKED", seconds=4)
    assert children(worker) == pids
    stock.control.revoke(third.id, terminate=True, signal="SIGUSR1", reply=True, timeout=10, limit=1)
    stock.control.revoke(deaf, terminate=True, reply=True, timeout=10, limit=1)
    wait_for(lambda: client.handle(deaf).status() == "REVOKED")
    assert other.result(60) == "other"
    wait_for(lambda: waiting.status() == "REVOKED")
    assert worker.trace("other") == ["start", "end"]
    assert worker.trace("deaf") == ["start", "heard"]
    assert worker.trace("one") == ["start"]
    assert worker.trace("waiting") == []
    assert worker.trace("third")[:1] == ["start"]
    assert letters(valkey) == {}


def test_remote_control_shows_what_runs(valkey: Valkey, start: Start, client: TaskClient, stock: Celery) -> None:
    worker = start(valkey)
    sleeping = [client.send(f"{TASK}sleep", name=f"n{n}", seconds=5) for n in range(30)]
    wait_for(lambda: all(worker.trace(f"n{n}") == ["start"] for n in range(30)))
    inspect = stock.control.inspect(timeout=5, limit=1)
    active = inspect.active()[HOST]
    assert {task["id"] for task in active} == {handle.id for handle in sleeping}
    assert {task["worker_pid"] for task in active} <= set(children(worker))
    pool = inspect.stats()[HOST]["pool"]
    assert pool["processes"] == children(worker)
    assert pool["coroutines-per-process"] == 300
    for handle in sleeping:
        handle.result(60)
    assert inspect.active() == {HOST: []}
    assert inspect.stats()[HOST]["total"][f"{TASK}sleep"] == 30


def test_a_broker_that_goes_away_reruns_nothing(own_valkey: Valkey, start: Start) -> None:
    worker = start(own_valkey)
    with TaskClient(own_valkey.url) as client:
        handles = [client.send(f"{TASK}sleep", name=f"task-{n}", seconds=3) for n in range(20)]
        wait_for(lambda: all(worker.trace(f"task-{n}") == ["start"] for n in range(20)))
        push(own_valkey, 200)
        own_valkey.kill()
        time.sleep(4)  # they finish meanwhile
        own_valkey.start()
        own_valkey.wait_ready()
        for handle in handles:
            handle.result(60)
        wait_for(lambda: settled(own_valkey, "aio"))
        assert [worker.trace(f"task-{n}") for n in range(20)] == [["start", "end"]] * 20
        assert runs(worker) == Counter(range(200))
        assert worker.alive()


def test_a_silent_broker_does_not_keep_the_event_loop(own_valkey: Valkey, start: Start) -> None:
    worker = start(own_valkey, "--concurrency=1", host="silent@test")
    with TaskClient(own_valkey.url) as client:
        handle = client.send(f"{TASK}tick", name="tick", seconds=8)
        push(own_valkey, 20, seconds=1.5)  # they finish while it is silent
        names = [f"n{n}" for n in range(10)]
        named = [client.send(f"{TASK}sleep", name=name, seconds=1.5, idempotency_key=name) for name in names]
        wait_for(lambda: all(worker.trace(name) == ["start"] for name in ("tick", *names)))
        os.kill(own_valkey.pid, signal.SIGSTOP)
        time.sleep(3.5)  # longer than it waits for one answer
        os.kill(own_valkey.pid, signal.SIGCONT)
        assert handle.result(60) < 0.6  # one answer takes a second
        assert [other.result(60) for other in named] == names
        wait_for(lambda: settled(own_valkey, "aio"))
        assert all(worker.trace(name) == ["start", "end"] for name in names)
        assert runs(worker) == Counter(range(20))


def test_no_soft_limit_ends_the_waiting_for_the_record_of_an_effect(own_valkey: Valkey, start: Start) -> None:
    worker = start(own_valkey, CELERYCONFIG_TASK_SOFT_TIME_LIMIT="2")
    with TaskClient(own_valkey.url) as client:
        handle = client.send(f"{TASK}sleep", name="effect", seconds=1, idempotency_key="effect")
        wait_for(lambda: worker.trace("effect") == ["start"])
        os.kill(own_valkey.pid, signal.SIGSTOP)
        time.sleep(8)  # it has asked more than once
        os.kill(own_valkey.pid, signal.SIGCONT)
        assert handle.result(60) == "effect"
        wait_for(lambda: settled(own_valkey, "aio"))
        assert worker.trace("effect") == ["start", "end"]


def test_lost_connections_rerun_nothing(valkey: Valkey, start: Start, client: TaskClient) -> None:
    worker = start(valkey)
    handles = [client.send(f"{TASK}sleep", name=f"task-{n}", seconds=1.5) for n in range(4)]
    push(valkey, 2000)
    wait_for(lambda: worker.trace("task-0") == ["start"])
    for _ in range(3):
        valkey.close_connections()
        time.sleep(0.7)
    for handle in handles:
        handle.result(60)
    wait_for(lambda: settled(valkey, "aio"))
    assert [worker.trace(f"task-{n}") for n in range(4)] == [["start", "end"]] * 4
    assert runs(worker) == Counter(range(2000))


def test_a_warm_stop_under_load_loses_nothing_and_repeats_nothing(valkey: Valkey, start: Start) -> None:
    worker = start(valkey)
    push(valkey, 6000, seconds=0.02)
    wait_for(lambda: len(worker.trace("all")) > 500)
    worker.stop()
    done = runs(worker)
    assert 500 < done.total() < 6000
    with valkey.client() as redis:
        assert redis.llen("aio") + done.total() == 6000
        assert redis.keys("worker:aio:inflight:*") == []
        assert redis.zcard("worker:aio:holders") == 0
    start(valkey)
    wait_for(lambda: settled(valkey, "aio"), seconds=60)
    assert runs(worker) == Counter(range(6000))


def test_a_stop_waits_for_what_runs_and_puts_back_what_does_not_finish(
    valkey: Valkey, start: Start, client: TaskClient
) -> None:
    worker = start(valkey, TASK_DRAIN_SECONDS="3")
    short = [client.send(f"{TASK}sleep", name=f"short-{n}", seconds=1.5) for n in range(10)]
    for n in range(10):
        client.send(f"{TASK}sleep", name=f"long-{n}", seconds=60)
    wait_for(lambda: all(worker.trace(f"{kind}-{n}") == ["start"] for kind in ("short", "long") for n in range(10)))
    began = time.monotonic()
    worker.stop()
    assert time.monotonic() - began < 15
    assert [handle.result(5) for handle in short] == [f"short-{n}" for n in range(10)]
    with valkey.client() as redis:
        assert redis.llen("aio") == 10
        assert redis.zcard("worker:aio:holders") == 0
    assert suspects(valkey) == 0  # it was no crash
    assert all(worker.trace(f"long-{n}") == ["start"] for n in range(10))


def test_processes_are_replaced_after_so_many_tasks(valkey: Valkey, start: Start) -> None:
    worker = start(valkey, CELERYCONFIG_WORKER_MAX_TASKS_PER_CHILD="50")
    before = set(children(worker))
    push(valkey, 400, seconds=0.1)
    wait_for(lambda: settled(valkey, "aio"))
    wait_for(lambda: len(set(children(worker)) - before) >= 2)
    assert runs(worker) == Counter(range(400))
    wait_for(lambda: len(children(worker)) == 2)


def test_children_end_with_their_worker_and_their_messages_return(
    valkey: Valkey, start: Start, client: TaskClient
) -> None:
    worker = start(valkey)
    handles = [client.send(f"{TASK}sleep", name=f"task-{n}", seconds=4) for n in range(20)]
    wait_for(lambda: all(worker.trace(f"task-{n}") == ["start"] for n in range(20)))
    pids = children(worker)
    worker.kill()
    wait_for(lambda: not any(psutil.pid_exists(pid) for pid in pids), seconds=5)
    start(valkey)
    assert [handle.result(60) for handle in handles] == [f"task-{n}" for n in range(20)]


def test_a_task_longer_than_the_lease_runs_once(valkey: Valkey, start: Start, client: TaskClient) -> None:
    worker = start(valkey)
    start(valkey, host="second@test")
    handles = [client.send(f"{TASK}sleep", name=f"long-{n}", seconds=2 * LEASE) for n in range(10)]
    push(valkey, 50)
    assert [handle.result(60) for handle in handles] == [f"long-{n}" for n in range(10)]
    wait_for(lambda: settled(valkey, "aio"))
    assert all(worker.trace(f"long-{n}") == ["start", "end"] for n in range(10))
    assert runs(worker) == Counter(range(50))


def test_concurrent_tasks_are_not_mixed_up(valkey: Valkey, start: Start, client: TaskClient) -> None:
    worker = start(valkey, "--concurrency=1")
    handles = [client.send(f"{TASK}who", seconds=0.5 + n / 50) for n in range(25)]
    for handle in handles:
        assert handle.result(60) == [handle.id] * 5
    found = {line["task_id"]: line["ids"] for line in worker.records() if line["event"] == "found"}
    assert found == {handle.id: [handle.id] * 4 for handle in handles}
    beside = Counter(line["task_id"] for line in worker.records() if line["event"] == "beside")
    assert beside == dict.fromkeys(found, 2)

    def ended() -> Counter[str]:
        return Counter(line["task_id"] for line in worker.records() if line["event"] == "task succeeded")

    wait_for(lambda: ended().total() >= 25)
    assert ended() == dict.fromkeys(found, 1)


@pytest.mark.parametrize("pool", ["prefork", "threads", "workerkit.short_tasks.pool:TaskPool"])
def test_coroutines_run_in_other_pools_as_well(pool: str, valkey: Valkey, start: Start, client: TaskClient) -> None:
    worker = start(valkey, CELERYCONFIG_WORKER_POOL=pool)
    handles = [client.send(f"{TASK}who", seconds=0.3) for _ in range(4)]
    for handle in handles:
        assert handle.result(60) == [handle.id] * 5
    assert client.send(f"{TASK}again", name="again", times=2).result(60) == "again"
    assert client.send(f"{TASK}sleep", name="sleep").result(60) == "sleep"
    assert worker.trace("sleep") == ["start", "end"]
    if pool != "threads":  # which has no limits
        with pytest.raises(TaskFailed, match="SoftTimeLimitExceeded"):
            client.send(f"{TASK}slow").result(60)


def test_hundreds_of_coroutines_share_the_databases_connections(
    valkey: Valkey, postgres: Postgres, start: Start, client: TaskClient
) -> None:
    worker = start(valkey, "--concurrency=1", DATABASE_URL=postgres.url)
    handles = [client.send(f"{TASK}query", number=n) for n in range(300)]
    assert [handle.result(60) for handle in handles] == list(range(300))
    with postgres.connect() as connection:
        query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'aio'"
        assert connection.execute(query).fetchone()[0] <= 2
        worker.stop()
        wait_for(lambda: connection.execute(query).fetchone()[0] == 0)
    assert not any("not checked in" in line["event"] or "garbage" in line["event"] for line in worker.records())


def test_a_task_may_run_a_program(valkey: Valkey, start: Start, client: TaskClient) -> None:
    start(valkey)
    assert [client.send(f"{TASK}shell").result(60) for _ in range(3)] == ["42"] * 3


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"WITH_A_PLAIN_TASK": "1"}, "these tasks are not: app.tasks.aio.plain"),
        ({"CELERYCONFIG_WORKER_COROUTINES": "0"}, "from 1 to"),
        ({"USE_FAST_LOCALS": "1"}, "USE_FAST_LOCALS"),
        ({"WITH_A_RATE_LIMIT": "1"}, "does not keep rate_limit, which app.tasks.aio.rated has"),
        ({"TASK_BROKER_URL": "amqp://guest:guest@127.0.0.1//"}, "the pool for coroutines needs Redis as its broker"),
    ],
)
def test_what_does_not_fit_is_refused_at_start(
    settings: dict[str, str], why: str, valkey: Valkey, start: Start
) -> None:
    worker = start(valkey, ready=False, TASK_REDIS_URL=valkey.url, **settings)
    wait_for(lambda: not worker.alive())
    assert why in worker.log.read_text()
