"""One run at a time, on real workers and a real Valkey."""

import time
from pathlib import Path

import pytest
from celery import Celery

from devstack.waiting import wait_for
from devstack.worker import WORKER, WorkerProcess
from taskclient.client import TaskClient
from taskclient.errors import TaskFailed, TaskRevoked
from workerkit.errors import TransientError
from workerkit.single_instance import single_instance

TOOLBOX = Path(__file__).parent / "toolbox"
ALONE = "app.tasks.toolbox.alone"
LEASE = 3.0


@pytest.fixture(scope="module")
def worker(module_valkey, tmp_path_factory):
    folder = tmp_path_factory.mktemp("worker")
    with WorkerProcess(module_valkey, TOOLBOX, "toolbox_app", folder=folder) as process:
        yield process


@pytest.fixture(scope="module")
def client(module_valkey):
    with TaskClient(module_valkey.url) as connected:
        yield connected


def words(worker, name):
    return [line.split()[0] for line in worker.trace(name)]


def moment(worker, name, index):
    return float(worker.trace(name)[index].split()[1])


def outcome(handle):
    try:
        return handle.result(60)
    except TaskRevoked as error:
        return error.error_type


def test_of_fifty_at_once_one_runs(valkey, tmp_path):
    threads = (*WORKER, "--pool", "threads", "--concurrency", "50")
    with (
        TaskClient(valkey.url) as client,
        WorkerProcess(valkey, TOOLBOX, "toolbox_app", folder=tmp_path, arguments=threads) as crowd,
    ):
        handles = [client.send(ALONE, name="many", seconds=4) for _ in range(50)]
        assert sorted(outcome(handle) for handle in handles) == ["AlreadyRunning"] * 49 + ["many"]
        assert words(crowd, "many") == ["start", "end"]


def test_a_skipped_run_is_neither_a_failure_nor_retried(worker, client):
    first = client.send("app.tasks.toolbox.decorated", seconds=2)
    wait_for(lambda: words(worker, "decorated") == ["start"])
    second = client.send("app.tasks.toolbox.decorated", seconds=0)
    with pytest.raises(TaskRevoked, match="another run holds the lock 'decorated'"):
        second.result(60)
    assert first.result(60) == "decorated"
    assert [(line["event"], line["level"]) for line in worker.records_of(second.id)] == [("task skipped", "info")]
    assert client.send("app.tasks.toolbox.decorated", seconds=0).result(60) == "decorated"


def test_a_decorated_task_keeps_its_contract(worker, client):
    (entry,) = (entry for entry in client.catalog() if entry.name == "app.tasks.toolbox.decorated")
    assert (entry.parameters["required"], entry.result) == (["seconds"], {"type": "string"})
    assert entry.description == "Run alone as a whole."


def test_a_caller_that_waits_gets_its_turn(worker, client):
    handles = [client.send(ALONE, name="turns", seconds=1, timeout=10) for _ in range(2)]
    assert [outcome(handle) for handle in handles] == ["turns", "turns"]
    assert words(worker, "turns") == ["start", "end"] * 2


def test_a_task_longer_than_lease_and_timeout_is_still_alone(worker, client):
    long = client.send(ALONE, name="long", seconds=5, lease=1)
    wait_for(lambda: words(worker, "long") == ["start"])
    began = time.monotonic()
    assert outcome(client.send(ALONE, name="long", seconds=0, timeout=2, lease=1)) == "AlreadyRunning"
    assert time.monotonic() - began > 2
    assert outcome(client.send(ALONE, name="long", seconds=0, lease=1)) == "AlreadyRunning"
    assert long.result(60) == "long"
    assert words(worker, "long") == ["start", "end"]
    assert [line["event"] for line in worker.records_of(long.id)] == ["task succeeded"]


def test_a_task_whose_process_is_killed_waits_for_its_own_old_lock_and_is_not_skipped(worker, client):
    handle = client.send(ALONE, name="victim", seconds=1.5, lease=LEASE)
    wait_for(lambda: words(worker, "victim") == ["start"])
    killed = time.time()
    for child in worker.children():
        child.kill()
    assert handle.result(60) == "victim"
    assert words(worker, "victim") == ["start", "start", "end"]
    assert moment(worker, "victim", 1) - killed < LEASE + 1


def test_the_lock_of_a_killed_worker_ends_with_its_lease(valkey, tmp_path, record_property):
    with TaskClient(valkey.url) as client:
        with WorkerProcess(valkey, TOOLBOX, "toolbox_app", folder=tmp_path) as worker:
            client.send(ALONE, name="dead", seconds=300, lease=LEASE)
            wait_for(lambda: words(worker, "dead") == ["start"])
            worker.kill()
            killed = time.time()
        with WorkerProcess(valkey, TOOLBOX, "toolbox_app", folder=tmp_path) as worker:
            assert client.send(ALONE, name="dead", seconds=0, timeout=60).result(120) == "dead"
    seconds = moment(worker, "dead", 1) - killed
    record_property("seconds from the kill to the next run", round(seconds, 1))
    assert seconds < LEASE + 120  # with the lease, and not with the task's time of 300 s; a worker starts meanwhile


def test_a_lock_lost_with_redis_data_is_reported_and_taken_again(module_valkey, worker, client):
    handle = client.send(ALONE, name="flushed", seconds=8, lease=0.9)
    wait_for(lambda: words(worker, "flushed") == ["start"])
    with module_valkey.client() as redis:
        redis.delete("workerkit:lock:toolbox:flushed")
        wait_for(lambda: redis.exists("workerkit:lock:toolbox:flushed"))
    assert outcome(client.send(ALONE, name="flushed", seconds=0)) == "AlreadyRunning"
    assert handle.result(60) == "flushed"
    lost = worker.records_of(handle.id)[0]
    assert (lost["event"], lost["level"], lost["taken_again"]) == (
        "the lock was lost while the task runs",
        "error",
        True,
    )


def test_the_lock_of_another_is_never_freed(module_valkey, worker, client):
    handle = client.send(ALONE, name="stolen", seconds=2, lease=0.9)
    wait_for(lambda: words(worker, "stolen") == ["start"])
    with module_valkey.client() as redis:
        redis.set("workerkit:lock:toolbox:stolen", "another")
        assert handle.result(60) == "stolen"
        assert redis.get("workerkit:lock:toolbox:stolen") == b"another"
        assert redis.ttl("workerkit:lock:toolbox:stolen") == -1
    assert worker.records_of(handle.id)[0]["taken_again"] is False


def test_a_finished_task_leaves_no_lock(module_valkey, worker, client):
    client.send(ALONE, name="tidy", seconds=0).result(60)
    with module_valkey.client() as redis:
        assert not redis.exists("workerkit:lock:toolbox:tidy")


def test_a_chord_with_a_skipped_part_ends(worker, client):
    sent = client.send("app.tasks.toolbox.both", name="part").result(60)
    with pytest.raises(TaskFailed, match="another run holds the lock"):
        client.handle(sent).result(60)


@pytest.fixture
def current(module_valkey):
    """An application of this process, which is no worker."""
    with Celery("here", broker=module_valkey.url) as app:
        app.set_current()
        yield app


def test_an_error_inside_frees_the_lock(current):
    with pytest.raises(ZeroDivisionError), single_instance("error"):
        raise ZeroDivisionError
    with single_instance("error"):
        pass


def test_without_redis_nothing_runs_and_the_task_is_retried(current):
    current.conf.broker_url = "redis://127.0.0.1:1/0"
    with pytest.raises(TransientError, match="could not be asked for"), single_instance("away"):
        raise AssertionError("ran")
