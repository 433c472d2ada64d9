"""Scaling in on real workers: idle ones go first, a busy one finishes its task, which starts once."""

import itertools
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from scale_in import ScaleIn

from devstack.valkey import Valkey
from devstack.waiting import wait_for
from devstack.worker import WorkerProcess
from taskclient.client import TaskClient

LONG = 15.0
SLEEP = "app.tasks.delivery.sleep"
Start = Callable[..., WorkerProcess]


@pytest.fixture
def start(valkey: Valkey, start_worker: Start) -> Start:
    numbers = itertools.count()

    def run(*arguments: str, **settings: str) -> WorkerProcess:
        name = f"--hostname=worker-{next(numbers)}@%h"
        settings = {"TASK_LEASE_SECONDS": "3", "TASK_DRAIN_SECONDS": "1", **settings}
        return start_worker(valkey, "delivery", name, *arguments, **settings)

    return run


@pytest.fixture
def scale_in(valkey: Valkey) -> Iterator[ScaleIn]:
    with ScaleIn(valkey.url, "delivery") as leaving:
        yield leaving


def name(worker: WorkerProcess) -> str:
    return f"{socket.gethostname()}:{worker.pid}"


def busy_and_idle(client: TaskClient, start: Start) -> tuple[WorkerProcess, WorkerProcess]:
    """A worker that runs one long task, and another one."""
    busy = start()
    client.send(SLEEP, name="long", seconds=LONG)
    wait_for(lambda: busy.trace("long") == ["start"])
    idle = start()
    wait_for(lambda: len(client.workers("delivery")) == 2)  # it is ready a moment before Redis knows it
    return busy, idle


def test_idle_ones_leave_first_and_a_busy_one_finishes_its_task(
    start: Start, client: TaskClient, scale_in: ScaleIn
) -> None:
    busy, idle = busy_and_idle(client, start)
    order = [worker.pid for worker in client.workers("delivery")]
    assert order == [idle.pid, busy.pid]
    assert scale_in.held([name(busy), name(idle), "elsewhere"]) == {name(busy): 1, name(idle): 0, "elsewhere": None}
    leaving = scale_in.leave([name(busy), name(idle)], 60)
    assert next(leaving) == name(idle)
    assert busy.trace("long") == ["start"]
    idle.stop()
    waiting = client.send(SLEEP, name="later")
    assert list(leaving) == [name(busy)]
    assert busy.trace("long") == ["start", "end"]
    assert busy.trace("later") == []  # neither has taken it, with slots free
    busy.stop()
    start()
    assert waiting.result(60) == "later"
    assert busy.trace("long") == ["start", "end"]


@pytest.mark.parametrize("pool", ["threads", "solo"])
def test_messages_that_wait_in_a_worker_go_back(
    pool: str, start: Start, client: TaskClient, valkey: Valkey, scale_in: ScaleIn
) -> None:
    worker = start(f"--pool={pool}")
    handles = [client.send(SLEEP, name=f"task-{n}", seconds=0.02) for n in range(700)]
    wait_for(lambda: worker.trace("task-20") == ["start", "end"])
    assert list(scale_in.leave([name(worker)], 60)) == [name(worker)]
    with valkey.client() as redis:
        assert redis.llen("delivery") > 0
    os.kill(worker.pid, signal.SIGKILL)  # it holds nothing, so nothing can be lost or run again
    start()
    for handle in handles:
        handle.result(60)
    assert [worker.trace(f"task-{n}") for n in range(700)] == [["start", "end"]] * 700


def test_a_worker_whose_processes_claim_for_themselves_leaves(
    start: Start, client: TaskClient, scale_in: ScaleIn
) -> None:
    worker = start("--pool=custom", "-c", "1", CELERY_CUSTOM_WORKER_POOL="workerkit.short_tasks.pool:TaskPool")
    wait_for(lambda: len(client.workers("delivery")) == 1)
    (process,) = client.workers("delivery")
    assert process.pid != worker.pid
    one = f"{process.host}:{process.pid}"
    assert list(scale_in.leave([one], 15)) == [one]
    client.send(SLEEP, name="later")
    time.sleep(1)
    assert worker.trace("later") == []


def test_who_is_still_busy_when_patience_is_over_is_not_named(
    start: Start, client: TaskClient, scale_in: ScaleIn
) -> None:
    busy, idle = busy_and_idle(client, start)
    assert list(scale_in.leave([name(busy), name(idle)], 4)) == [name(idle)]
    assert busy.trace("long") == ["start"]


def interrupt(valkey: Valkey, names: list[str]) -> None:
    with ScaleIn(valkey.url, "delivery") as scale_in:
        for _ in scale_in.leave(names, 60):
            raise KeyboardInterrupt


def test_an_interrupted_scale_in_leaves_the_workers_at_work(start: Start, client: TaskClient, valkey: Valkey) -> None:
    busy, idle = busy_and_idle(client, start)
    with pytest.raises(KeyboardInterrupt):
        interrupt(valkey, [name(busy), name(idle)])
    for number, (stopped, works) in enumerate([(idle, busy), (busy, idle)]):
        os.kill(stopped.pid, signal.SIGSTOP)
        try:
            assert client.send(SLEEP, name=f"next-{number}").result(60) == f"next-{number}"
        finally:
            os.kill(stopped.pid, signal.SIGCONT)
        assert works.alive()


def test_a_worker_that_is_restarted_meanwhile_is_told_again(
    start: Start, client: TaskClient, valkey: Valkey, scale_in: ScaleIn
) -> None:
    first = start()
    client.send(SLEEP, name="long", seconds=LONG)
    wait_for(lambda: first.trace("long") == ["start"])
    left: list[str] = []
    host = socket.gethostname()  # as in a container, whose restarted worker has the same
    leaving = threading.Thread(target=lambda: left.extend(scale_in.leave([host], 90)))
    leaving.start()
    time.sleep(2)
    first.kill()
    second = start()
    leaving.join(120)
    assert left == [host]
    assert [worker.held for worker in client.workers("delivery")] == [0]
    client.send(SLEEP, name="later")
    time.sleep(1)
    assert second.trace("later") == []
    with valkey.client() as redis:  # the long task has been run by the second one, or waits for a third
        assert redis.llen("delivery") + second.trace("long").count("end") == 2
