"""Queues paused and tasks cancelled by name, over the workers of each pool, which share one real server."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devstack.valkey import Valkey
from devstack.waiting import wait_for
from devstack.worker import WORKER, WorkerProcess
from taskclient.client import TaskClient
from taskclient.errors import TaskRevoked
from taskclient.handle import TaskHandle

TASK = "app.tasks.delivery."
POOLS = {
    "prefork": {},
    "short tasks": {"CELERYCONFIG_WORKER_POOL": "workerkit.short_tasks.pool:TaskPool"},
    "coroutines": {"CELERYCONFIG_WORKER_POOL": "workerkit.async_tasks.pool:AsyncPool", "COROUTINES": "1"},
}
New = Callable[..., WorkerProcess]


@pytest.fixture(scope="module", params=POOLS)
def pool(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def new(pool: str, module_valkey: Valkey, tmp_path_factory: pytest.TempPathFactory) -> Iterator[New]:
    """Starts workers of the pool; all of them leave their traces in one folder."""
    started: list[WorkerProcess] = []
    traces = tmp_path_factory.mktemp("traces")
    source = Path(__file__).parent / "delivery"

    def start() -> WorkerProcess:
        folder = tmp_path_factory.mktemp("worker")
        settings = {"TRACES": str(traces), "TASK_LEASE_SECONDS": "5", **POOLS[pool]}
        arguments = (*WORKER, f"--hostname=worker{len(started)}@test")
        worker = WorkerProcess(
            module_valkey, source, "delivery_app", folder=folder, arguments=arguments, settings=settings
        )
        worker.traces = traces
        started.append(worker)
        worker.start()
        worker.wait_ready()
        return worker

    yield start
    for worker in started:
        worker.stop()


@pytest.fixture(scope="module")
def worker(new: New, module_valkey: Valkey) -> WorkerProcess:
    with module_valkey.client() as redis:
        redis.flushall()
    return new()


@pytest.fixture
def client(worker: WorkerProcess, module_valkey: Valkey) -> Iterator[TaskClient]:
    assert worker.alive()
    with TaskClient(module_valkey.url) as connected:
        yield connected
        connected.resume("delivery")  # for the next test, whatever became of this one


def sleep(client: TaskClient, name: str, seconds: float = 0, **options: float) -> TaskHandle:
    return client.send_payload(f"{TASK}sleep", {"name": name, "seconds": seconds}, **options)  # type: ignore[arg-type]


def _numbers(client: TaskClient) -> tuple[int, int, int]:
    [state] = client.queues()
    return state.depth, state.in_flight, state.delayed


def test_a_paused_queue_keeps_its_messages_until_it_is_resumed(worker: WorkerProcess, client: TaskClient) -> None:
    running = sleep(client, "runs-on", 1)
    wait_for(lambda: worker.trace("runs-on") == ["start"])
    client.pause("delivery")
    held_back = [sleep(client, f"held-back-{number}") for number in range(20)]
    due = sleep(client, "due", countdown=0.1)
    assert running.result(60) == "runs-on"  # so the worker could have taken others since
    wait_for(lambda: _numbers(client) == (21, 0, 0))  # the worker tells Redis a moment later what it has finished
    [state] = client.queues()
    assert state.paused
    assert state.oldest_seconds is not None
    assert worker.trace("held-back-0") == worker.trace("due") == []
    client.resume("delivery")
    assert held_back[0].result(4) == "held-back-0"  # at once, not when the worker looks the next time
    for handle in held_back:
        handle.result(60)
    assert due.result(60) == "due"


def test_a_pause_holds_for_workers_that_start_later(worker: WorkerProcess, new: New, client: TaskClient) -> None:
    client.pause("delivery")
    handle = sleep(client, "later")
    before = len(client.workers("delivery"))
    second = new()
    wait_for(lambda: len(client.workers("delivery")) > before)
    assert client.queues()[0].depth == 1
    assert worker.trace("later") == []
    second.stop()
    client.resume("delivery")
    assert handle.result(60) == "later"


def test_what_runs_is_ended_and_what_waits_is_not_run(worker: WorkerProcess, client: TaskClient) -> None:
    running = sleep(client, "running", 60)
    wait_for(lambda: worker.trace("running") == ["start"])
    client.pause("delivery")
    waiting, delayed = sleep(client, "waiting"), sleep(client, "delayed", countdown=1)
    assert client.cancel(waiting.id) == "waiting"
    assert client.cancel(delayed.id) == "waiting"
    assert client.cancel(running.id) == "running"
    for handle in (running, waiting, delayed):
        with pytest.raises(TaskRevoked):
            handle.result(60)
    client.resume("delivery")
    after = sleep(client, "after")
    assert after.result(60) == "after"
    assert client.cancel(after.id) == "finished"
    assert after.result() == "after"
    wait_for(lambda: client.queues()[0].delayed == client.queues()[0].depth == client.queues()[0].in_flight == 0)
    assert worker.trace("running") == ["start"]
    assert worker.trace("waiting") == worker.trace("delayed") == []
    assert {client.cancel(handle.id) for handle in (running, waiting, delayed)} == {"finished"}
    assert client.dead_letters().list().letters == ()


def test_a_worker_that_starts_later_knows_what_was_cancelled(
    worker: WorkerProcess, new: New, client: TaskClient, module_valkey: Valkey
) -> None:
    """Also when it has to take it over from one that has died, and when its result is forgotten."""
    running, neighbour = sleep(client, "taken-over", 60), sleep(client, "neighbour", 1)
    wait_for(lambda: worker.trace("taken-over") == worker.trace("neighbour") == ["start"])
    worker.kill()
    assert client.cancel(running.id) == "running"
    new()
    assert neighbour.result(60) == "neighbour"
    with pytest.raises(TaskRevoked):
        running.result(60)
    assert worker.trace("taken-over") == ["start"]
    with module_valkey.client() as redis:
        assert redis.ttl("worker:delivery:cancelled") > 29 * 86_400
