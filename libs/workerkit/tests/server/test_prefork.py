"""Short tasks wait in the pipes of prefork's processes: none is lost, run twice, or kept behind a long one."""

import random
import time
from collections.abc import Callable
from contextlib import suppress
from uuid import uuid4

import psutil
import pytest

from devstack.deliveries import in_flight, settled
from devstack.valkey import Valkey
from devstack.waiting import wait_for
from devstack.worker import WorkerProcess
from taskclient.message import build_message

SLEEP = "app.tasks.delivery.sleep"
Start = Callable[..., WorkerProcess]


@pytest.fixture
def start(start_worker: Start) -> Start:
    return lambda server, *arguments, **settings: start_worker(
        server, "delivery", *arguments, **{"TASK_LEASE_SECONDS": "3", **settings}
    )


def push(valkey: Valkey, names: list[str], **payload: object) -> None:
    """Put tasks that write these words behind what waits."""
    with valkey.client() as redis:
        for at in range(0, len(names), 500):
            several = [{"name": name, **payload} for name in names[at : at + 500]]
            redis.lpush(
                "delivery", *(build_message(SLEEP, one, queue="delivery", task_id=str(uuid4())) for one in several)
            )


def runs(worker: WorkerProcess, names: list[str]) -> dict[str, int]:
    """How often each was begun or ended."""
    return {name: len(worker.trace(name)) for name in names}


def numbered(word: str, count: int) -> list[str]:
    return [f"{word}-{number}" for number in range(count)]


def test_nobody_waits_behind_a_long_task(valkey: Valkey, start: Start) -> None:
    worker = start(valkey)
    names = numbered("short", 1_500)
    push(valkey, names[:700])
    push(valkey, ["long"], seconds=12)
    push(valkey, names[700:])
    wait_for(lambda: all(len(worker.trace(name)) == 2 for name in reversed(names)), 60)
    assert worker.trace("long") == ["start"]
    wait_for(lambda: settled(valkey, "delivery"), 60)
    assert set(runs(worker, [*names, "long"]).values()) == {2}


def test_when_all_processes_run_long_tasks_another_worker_has_the_rest(valkey: Valkey, start: Start) -> None:
    busy = start(valkey, "--hostname=busy@test")
    names = numbered("short", 600)
    push(valkey, names[:300])
    push(valkey, ["long-0", "long-1"], seconds=15)
    push(valkey, names[300:])
    wait_for(lambda: busy.trace("long-0") == busy.trace("long-1") == ["start"], 60)
    start(valkey, "--hostname=idle@test")
    wait_for(lambda: all(len(busy.trace(name)) == 2 for name in reversed(names)), 60)
    assert busy.trace("long-0") == busy.trace("long-1") == ["start"]
    wait_for(lambda: settled(valkey, "delivery"), 60)
    assert set(runs(busy, [*names, "long-0", "long-1"]).values()) == {2}


def test_killed_processes_lose_nothing_and_only_what_they_ran_runs_again(valkey: Valkey, start: Start) -> None:
    worker = start(valkey)
    names = numbered("task", 4_000)
    push(valkey, names)
    wait_for(lambda: bool(worker.trace("task-0")))  # Celery ends if a process is gone when its loop begins
    kills = 0
    for _ in range(8):
        time.sleep(0.1)
        children = psutil.Process(worker.pid).children()
        with suppress(psutil.NoSuchProcess):
            if children:
                random.choice(children).kill()  # noqa: S311
                kills += 1
        with valkey.client() as redis:
            if redis.llen("delivery") < 200:
                break
    assert kills
    wait_for(lambda: settled(valkey, "delivery"), 60)
    found = runs(worker, names)
    assert min(found.values()) >= 2
    assert sum(found.values()) - 2 * len(names) <= 2 * kills
    assert worker.alive()


@pytest.mark.parametrize(("count", "padding"), [(4_000, 0), (600, 200_000)], ids=["small", "larger than a pipe"])
def test_lost_connections_lose_nothing_and_repeat_nothing(
    valkey: Valkey, start: Start, count: int, padding: int
) -> None:
    worker = start(valkey)
    names = numbered("task", count)
    push(valkey, names, padding="x" * padding)
    for _ in range(5):
        time.sleep(0.2)
        valkey.close_connections()
    wait_for(lambda: settled(valkey, "delivery"), 60)
    assert set(runs(worker, names).values()) == {2}


def test_processes_that_are_replaced_lose_nothing_and_repeat_nothing(valkey: Valkey, start: Start) -> None:
    worker = start(valkey, CELERYCONFIG_WORKER_MAX_TASKS_PER_CHILD="150")
    names = numbered("task", 2_000)
    push(valkey, names)
    wait_for(lambda: settled(valkey, "delivery"), 60)
    assert set(runs(worker, names).values()) == {2}


def test_messages_larger_than_a_pipe_pass_among_small_ones(valkey: Valkey, start: Start) -> None:
    worker = start(valkey)
    small, large = numbered("small", 600), numbered("large", 30)
    for at, name in enumerate(large):
        push(valkey, small[20 * at : 20 * at + 20])
        push(valkey, [name], padding="x" * (3_000 + 8_000 * at))
    wait_for(lambda: settled(valkey, "delivery"), 60)
    assert set(runs(worker, [*small, *large]).values()) == {2}


def test_what_was_not_begun_is_back_in_the_queue_after_sigterm(valkey: Valkey, start: Start) -> None:
    first = start(valkey, "--hostname=first@test")
    names = numbered("task", 5_000)
    push(valkey, names)
    wait_for(lambda: bool(first.trace("task-500")))
    first.terminate()
    wait_for(lambda: not first.alive(), 30)
    with valkey.client() as redis:
        assert redis.llen("delivery") > 0
    assert in_flight(valkey, "delivery") == 0
    start(valkey, "--hostname=second@test")
    wait_for(lambda: settled(valkey, "delivery"), 60)
    assert set(runs(first, names).values()) == {2}
