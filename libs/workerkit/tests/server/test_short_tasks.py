"""What the pool for short tasks promises, on real workers and a real server, with a lease of 5 seconds."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import psutil
import pytest
from celery import Celery

from devstack.deliveries import settled
from devstack.valkey import Valkey
from devstack.waiting import wait_for
from devstack.worker import WorkerProcess
from taskclient.client import TaskClient
from taskclient.errors import TaskFailed
from taskclient.message import build_message

LEASE = 5.0
TASK = "app.tasks.short."
HOST = "short@test"
CANVAS = """
import sys
from celery import Celery, chain, chord, signature
app = Celery(broker=sys.argv[1], backend=sys.argv[2])
def task(name, kind="sleep"):
    return signature("app.tasks.short." + kind, kwargs={"name": name}, queue="short", app=app, immutable=True)
if sys.argv[3] == "chain":
    print(chain(task("a"), task("b"), task("c"), app=app).apply_async().id)
else:
    header = [task(f"h{n}", "die" if sys.argv[3] == "broken" and n == 0 else "sleep") for n in range(5)]
    print(chord(header, task("body"), app=app).apply_async().id)
"""
Start = Callable[..., WorkerProcess]


@pytest.fixture
def start(start_worker: Start) -> Start:
    def run(server: Valkey, *arguments: str, host: str = HOST, **settings: str) -> WorkerProcess:
        settings = {"TASK_LEASE_SECONDS": str(LEASE), **settings}
        return start_worker(server, "short_tasks", f"--hostname={host}", *arguments, **settings)

    return run


def letters(valkey: Valkey) -> dict[str, dict[str, Any]]:
    with valkey.client() as redis:
        found = [json.loads(text) for text in redis.hvals("worker:short:dead:letters")]
    return {letter["id"]: letter for letter in found}


def children(worker: WorkerProcess) -> list[int]:
    return [child.pid for child in psutil.Process(worker.pid).children()]


def push(valkey: Valkey, total: int, first: int = 0) -> None:
    with valkey.client() as redis:
        for at in range(first, first + total, 500):
            numbers = range(at, min(at + 500, first + total))
            redis.lpush(
                "short",
                *(build_message(f"{TASK}count", {"number": n}, queue="short", task_id=f"count-{n}") for n in numbers),
            )


def runs(worker: WorkerProcess) -> Counter[int]:
    return Counter(int(line) for line in worker.trace("all"))


def canvas(valkey: Valkey, kind: str) -> str:
    # In a process of its own: Celery's results are a cycle of objects that want their server when they go.
    send = [sys.executable, "-c", CANVAS, valkey.url, valkey.url.replace("/0", "/1"), kind]
    return subprocess.run(send, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def stock(valkey: Valkey) -> Iterator[Celery]:
    app = Celery(broker=valkey.url, backend=valkey.url.replace("/0", "/1"))
    app.conf.task_default_queue = "short"
    yield app
    app.close()


def test_thousands_run_once_each(valkey: Valkey, start: Start) -> None:
    push(valkey, 2000)
    worker = start(valkey)
    push(valkey, 1000, first=2000)
    wait_for(lambda: settled(valkey, "short"), seconds=60)
    assert runs(worker) == Counter(range(3000))
    assert letters(valkey) == {}
    with valkey.client() as redis:
        assert len(redis.zrange("worker:short:holders", 0, -1)) == len(children(worker)) == 2


def test_killing_processes_at_full_speed_loses_nothing(valkey: Valkey, start: Start) -> None:
    worker = start(valkey)
    push(valkey, 6000)
    for kill in range(3):
        wait_for(lambda: len(worker.trace("all")) > 500 + 1000 * kill and len(children(worker)) == 2)  # noqa: B023
        os.kill(children(worker)[-1], signal.SIGKILL)  # one may be about to end by itself
    wait_for(lambda: settled(valkey, "short"), seconds=60)
    found = runs(worker)
    assert found.keys() == set(range(6000))
    assert found.total() - 6000 <= 3  # what ran at that moment, and no neighbour of it
    assert letters(valkey) == {}


def test_a_poison_ends_as_a_letter_and_its_neighbours_run(valkey: Valkey, start: Start, client: TaskClient) -> None:
    push(valkey, 100)
    poison = client.send(f"{TASK}die", name="poison")
    push(valkey, 100, first=100)
    worker = start(valkey)
    with pytest.raises(TaskFailed, match="too often"):
        poison.result(60)
    wait_for(lambda: settled(valkey, "short"))
    assert worker.trace("poison") == ["start"] * 3
    assert runs(worker) == Counter(range(200))
    assert {key: letter["reason"] for key, letter in letters(valkey).items()} == {poison.id: "delivery limit"}


def test_a_task_that_exits_counts_as_a_crash(valkey: Valkey, start: Start, client: TaskClient) -> None:
    worker = start(valkey)
    poison = client.send(f"{TASK}leave", name="exit")
    with pytest.raises(TaskFailed, match="too often"):
        poison.result(60)
    assert worker.trace("exit") == ["start"] * 3
    assert client.send(f"{TASK}sleep", name="next").result(60) == "next"


@pytest.mark.parametrize("kind", ["deaf", "crunch"])
def test_the_hard_limit_stops_any_task(kind: str, valkey: Valkey, start: Start, client: TaskClient) -> None:
    worker = start(valkey, "--concurrency=1")
    handle = client.send(f"{TASK}{kind}", name=kind)
    push(valkey, 20)
    with pytest.raises(TaskFailed, match="TimeLimitExceeded"):
        handle.result(60)
    wait_for(lambda: settled(valkey, "short"))
    assert worker.trace(kind) == (["start", "heard"] if kind == "deaf" else ["start"])
    assert runs(worker) == Counter(range(20))
    assert [letter["reason"] for letter in letters(valkey).values()] == ["time limit"]


def test_what_waits_behind_a_task_in_c_code_runs_elsewhere(valkey: Valkey, start: Start, client: TaskClient) -> None:
    worker = start(valkey, "--concurrency=1")
    push(valkey, 1000)  # so that many are claimed at once
    wait_for(lambda: settled(valkey, "short"))
    with valkey.client() as redis:
        grind = build_message(f"{TASK}grind", {"name": "grind"}, queue="short", task_id="grind")
        others = [
            build_message(f"{TASK}count", {"number": n}, queue="short", task_id=f"count-{n}") for n in range(1000, 1040)
        ]
        redis.lpush("short", grind, *others)
    wait_for(lambda: worker.trace("grind") == ["start"])
    start(valkey, host="second@test")
    wait_for(lambda: len(worker.trace("all")) == 1040)
    assert client.handle("grind").status() == "PENDING"
    with pytest.raises(TaskFailed, match="TimeLimitExceeded"):
        client.handle("grind").result(60)
    wait_for(lambda: settled(valkey, "short"))
    assert worker.trace("grind") == ["start"]
    assert runs(worker) == Counter(range(1040))


def test_the_soft_limit_lets_a_task_clean_up(valkey: Valkey, start: Start, client: TaskClient) -> None:
    worker = start(valkey)
    assert client.send(f"{TASK}tidy", name="tidy").result(60) == "cleaned"
    assert worker.trace("tidy") == ["cleaned"]
    with pytest.raises(TaskFailed, match="SoftTimeLimitExceeded"):
        client.send(f"{TASK}slow").result(60)


def test_retries_failures_and_refusals(valkey: Valkey, start: Start, client: TaskClient) -> None:
    worker = start(valkey)
    retried = client.send(f"{TASK}again", name="again", times=3)
    failing = client.send(f"{TASK}fail", name="bug")
    refused = client.send(f"{TASK}sleep", seconds="long")
    assert retried.result(60) == "again"
    assert worker.trace("again") == ["start"] * 3
    for handle in (failing, refused):
        with pytest.raises(TaskFailed):
            handle.result(60)
    wait_for(lambda: len(letters(valkey)) == 2)
    found = letters(valkey)
    assert (found[failing.id]["reason"], found[refused.id]["reason"]) == ("failed", "refused")
    assert found[failing.id]["error"] == "ZeroDivisionError: bug"
    assert "short_tasks_tasks/tasks.py" in found[failing.id]["traceback"]
    wait_for(lambda: settled(valkey, "short"))


def test_an_early_acknowledgement_is_one_attempt(valkey: Valkey, start: Start, client: TaskClient) -> None:
    worker = start(valkey)
    client.send(f"{TASK}early", name="early")
    wait_for(lambda: worker.trace("early") == ["start"] and len(children(worker)) == 2)
    wait_for(lambda: settled(valkey, "short"))
    assert client.send(f"{TASK}sleep", name="next").result(60) == "next"
    assert worker.trace("early") == ["start"]


def test_chains_and_chords(valkey: Valkey, start: Start, client: TaskClient) -> None:
    worker = start(valkey)
    assert client.handle(canvas(valkey, "chain")).result(60) == "c"
    assert [worker.trace(name) for name in "abc"] == [["start", "end"]] * 3
    assert client.handle(canvas(valkey, "chord")).result(60) == "body"
    with pytest.raises(TaskFailed, match="too often"):
        client.handle(canvas(valkey, "broken")).result(60)


def test_what_cannot_run_is_kept(valkey: Valkey, start: Start, client: TaskClient) -> None:
    worker = start(valkey)
    with valkey.client() as redis:
        redis.lpush("short", b"\xff\x00 no message", b"[]", b'{"headers": {}}')
        client.send(f"{TASK}unheard_of", name="x")
        wait_for(lambda: redis.smembers("worker:short:parked") == {f"{TASK}unheard_of".encode()})
        wait_for(lambda: len(letters(valkey)) == 3)
    assert {letter["reason"] for letter in letters(valkey).values()} == {"unreadable"}
    assert client.send(f"{TASK}sleep", name="next").result(60) == "next"
    assert len(children(worker)) == 2


def test_times_are_kept(valkey: Valkey, start: Start, client: TaskClient, stock: Celery) -> None:
    stock.send_task(f"{TASK}old", kwargs={"name": "stale"}, headers={"x-published-at": time.time() - 10})
    worker = start(valkey)
    sent = time.monotonic()
    late = client.send(f"{TASK}sleep", countdown=2, name="late")
    expired = stock.send_task(f"{TASK}sleep", kwargs={"name": "expired"}, expires=-1)
    assert late.result(60) == "late"
    assert time.monotonic() - sent >= 2
    wait_for(lambda: client.handle(expired.id).status() == "REVOKED")
    for number in range(8):
        client.send(f"{TASK}limited", number=number)
    wait_for(lambda: len(worker.trace("limited")) == 8)
    first, *_, last = [float(line) for line in worker.trace("limited")]
    assert last - first >= 1.2
    wait_for(lambda: settled(valkey, "short"))
    assert worker.trace("expired") == worker.trace("stale") == []
    assert [letter["reason"] for letter in letters(valkey).values()] == ["waited too long"]


def test_revoked_tasks_do_not_run_and_only_the_right_one_is_killed(
    valkey: Valkey, start: Start, client: TaskClient, stock: Celery
) -> None:
    worker = start(valkey)
    one, other = (client.send(f"{TASK}sleep", name=name, seconds=6) for name in ("one", "other"))
    waiting = client.send(f"{TASK}sleep", name="waiting")
    wait_for(lambda: worker.trace("one") == worker.trace("other") == ["start"])
    stock.control.revoke(waiting.id, reply=True, timeout=10, limit=1)
    stock.control.revoke(one.id, terminate=True, reply=True, timeout=10, limit=1)
    wait_for(lambda: one.status() == "REVOKED", seconds=4)
    assert other.result(60) == "other"
    assert worker.trace("other") == ["start", "end"]
    wait_for(lambda: settled(valkey, "short"))
    assert waiting.status() == "REVOKED"
    assert worker.trace("waiting") == []
    assert worker.trace("one") == ["start"]
    assert letters(valkey) == {}


def test_remote_control_answers_while_all_processes_work(
    valkey: Valkey, start: Start, client: TaskClient, stock: Celery
) -> None:
    worker = start(valkey)
    burning = [client.send(f"{TASK}burn", name=f"burn-{n}", seconds=8) for n in range(2)]
    wait_for(lambda: all(worker.trace(f"burn-{n}") == ["start"] for n in range(2)))
    inspect = stock.control.inspect(timeout=5, limit=1)
    assert inspect.ping() == {HOST: {"ok": "pong"}}
    active = inspect.active()[HOST]
    assert {task["id"] for task in active} == {handle.id for handle in burning}
    assert {task["worker_pid"] for task in active} == set(children(worker))
    assert inspect.stats()[HOST]["pool"]["processes"] == children(worker)
    for handle in burning:
        handle.result(60)
    assert inspect.active() == {HOST: []}
    assert inspect.stats()[HOST]["total"][f"{TASK}burn"] == 2


def test_queues_and_the_pools_size_follow_remote_control(
    valkey: Valkey, start: Start, client: TaskClient, stock: Celery
) -> None:
    worker = start(valkey)
    stock.control.cancel_consumer("short", reply=True, timeout=5, limit=1)
    time.sleep(1)
    client.send(f"{TASK}sleep", name="waits")
    time.sleep(1)
    assert worker.trace("waits") == []
    stock.control.pool_grow(1, reply=True, timeout=5, limit=1)
    wait_for(lambda: len(children(worker)) == 3)
    stock.control.add_consumer("short", reply=True, timeout=5, limit=1)
    wait_for(lambda: worker.trace("waits") == ["start", "end"])
    stock.control.pool_shrink(2, reply=True, timeout=5, limit=1)
    wait_for(lambda: len(children(worker)) == 1)
    assert client.send(f"{TASK}sleep", name="next").result(60) == "next"


def test_events_come_from_one_worker(valkey: Valkey, start: Start, client: TaskClient, stock: Celery) -> None:
    start(valkey)
    seen: list[dict[str, Any]] = []
    with stock.connection_for_read() as connection:
        receiver = stock.events.Receiver(connection, handlers={"*": seen.append})
        with receiver.consumer_context() as (listening, _, _):
            handles = []

            def heard() -> bool:
                if len(handles) < 40:
                    handles.append(client.send(f"{TASK}sleep", name=f"n{len(handles)}"))
                with suppress(TimeoutError):
                    listening.drain_events(timeout=0.5)
                kinds = Counter(event["type"] for event in seen)
                return kinds["task-received"] > 0 and kinds["task-started"] > 0 and kinds["task-succeeded"] > 0

            wait_for(heard)
    assert {event["hostname"] for event in seen} == {HOST}
    succeeded = next(event for event in seen if event["type"] == "task-succeeded")
    assert succeeded["uuid"] in {handle.id for handle in handles}


def test_processes_are_replaced_after_so_many_tasks_and_so_much_memory(
    valkey: Valkey, start: Start, client: TaskClient
) -> None:
    worker = start(
        valkey, CELERYCONFIG_WORKER_MAX_TASKS_PER_CHILD="50", CELERYCONFIG_WORKER_MAX_MEMORY_PER_CHILD="200000"
    )
    before = set(children(worker))
    total = 0

    def both_replaced() -> bool:
        nonlocal total
        push(valkey, 100, first=total)  # until both have had enough: on a busy machine one may do nearly all
        total += 100
        return len(set(children(worker)) - before) == 2

    wait_for(both_replaced)
    wait_for(lambda: settled(valkey, "short"))
    assert runs(worker) == Counter(range(total))
    wait_for(lambda: len(children(worker)) == 2)
    pids = set(children(worker))
    client.send(f"{TASK}hold", megabytes=300).result(60)
    wait_for(lambda: not pids <= set(children(worker)) and len(children(worker)) == 2)
    assert settled(valkey, "short")


def test_a_broker_that_goes_away_reruns_nothing(own_valkey: Valkey, start: Start) -> None:
    worker = start(own_valkey)
    with TaskClient(own_valkey.url) as client:
        handles = [client.send(f"{TASK}sleep", name=f"task-{n}", seconds=3) for n in range(2)]
        wait_for(lambda: all(worker.trace(f"task-{n}") == ["start"] for n in range(2)))
        push(own_valkey, 200)
        own_valkey.kill()
        time.sleep(1)
        own_valkey.start()
        own_valkey.wait_ready()
        for handle in handles:
            handle.result(60)
        wait_for(lambda: settled(own_valkey, "short"))
        assert [worker.trace(f"task-{n}") for n in range(2)] == [["start", "end"]] * 2
        assert runs(worker) == Counter(range(200))
        assert worker.alive()


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
    wait_for(lambda: settled(valkey, "short"))
    assert [worker.trace(f"task-{n}") for n in range(4)] == [["start", "end"]] * 4
    assert runs(worker) == Counter(range(2000))


def test_a_warm_stop_under_load_loses_nothing_and_repeats_nothing(valkey: Valkey, start: Start) -> None:
    worker = start(valkey)
    push(valkey, 6000)
    wait_for(lambda: len(worker.trace("all")) > 500)
    worker.stop()
    done = runs(worker)
    assert 500 < done.total() < 6000
    with valkey.client() as redis:
        assert redis.llen("short") + done.total() == 6000
        assert redis.keys("worker:short:inflight:*") == []
        assert redis.zcard("worker:short:holders") == 0
    start(valkey)
    wait_for(lambda: settled(valkey, "short"), seconds=60)
    assert runs(worker) == Counter(range(6000))


def test_a_stop_waits_for_what_runs_and_puts_back_what_does_not_finish(
    valkey: Valkey, start: Start, client: TaskClient
) -> None:
    worker = start(valkey, TASK_DRAIN_SECONDS="3")
    short = client.send(f"{TASK}sleep", name="short", seconds=1.5)
    client.send(f"{TASK}sleep", name="long", seconds=60)
    wait_for(lambda: worker.trace("short") == worker.trace("long") == ["start"])
    began = time.monotonic()
    worker.stop()
    assert time.monotonic() - began < 15
    assert short.result(5) == "short"
    with valkey.client() as redis:
        assert redis.llen("short") == 1
        assert redis.zcard("worker:short:holders") == 0
        assert redis.hlen("worker:short:attempts") == 0  # it was no crash
    assert worker.trace("long") == ["start"]


def test_children_end_with_their_worker_and_their_messages_return(
    valkey: Valkey, start: Start, client: TaskClient
) -> None:
    worker = start(valkey)
    handles = [client.send(f"{TASK}sleep", name=f"task-{n}", seconds=4) for n in range(2)]
    wait_for(lambda: all(worker.trace(f"task-{n}") == ["start"] for n in range(2)))
    pids = children(worker)
    worker.kill()
    wait_for(lambda: not any(psutil.pid_exists(pid) for pid in pids), seconds=5)
    start(valkey)
    assert [handle.result(60) for handle in handles] == ["task-0", "task-1"]


def test_a_task_longer_than_the_lease_runs_once(valkey: Valkey, start: Start, client: TaskClient) -> None:
    worker = start(valkey)
    start(valkey, host="second@test")
    handles = [client.send(f"{TASK}sleep", name=f"long-{n}", seconds=2 * LEASE) for n in range(2)]
    push(valkey, 50)
    assert [handle.result(60) for handle in handles] == ["long-0", "long-1"]
    wait_for(lambda: settled(valkey, "short"))
    assert worker.trace("long-0") == worker.trace("long-1") == ["start", "end"]
    assert runs(worker) == Counter(range(50))
