"""Progress of real tasks, as callers, viewers and the log see it."""

import json
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import structlog
from celery import Celery

from devstack.waiting import wait_for
from devstack.worker import WorkerProcess
from taskclient.client import TaskClient
from taskclient.errors import TaskFailed
from workerkit.progress import Progress

TOOLBOX = Path(__file__).parent / "toolbox"


@pytest.fixture(scope="module")
def worker(module_valkey, tmp_path_factory):
    folder = tmp_path_factory.mktemp("worker")
    with WorkerProcess(module_valkey, TOOLBOX, "toolbox_app", folder=folder) as process:
        yield process


@pytest.fixture(scope="module")
def client(module_valkey):
    with TaskClient(module_valkey.url) as connected:
        yield connected


@pytest.fixture
def viewer(module_valkey):
    """Gives all that the channels of progress brought so far."""
    with module_valkey.client(1) as redis, redis.pubsub() as channel:
        channel.psubscribe("progress:*")
        assert channel.get_message(timeout=5)["type"] == "psubscribe"
        seen = {}

        def look():
            while message := channel.get_message(timeout=0.2):
                seen.setdefault(message["channel"].decode(), []).append(json.loads(message["data"]))
            return seen

        yield look


def lines_of(worker, handle):
    return [line for line in worker.records() if line.get("task_id") == handle.id and line["event"] == "progress"]


def stored(module_valkey, task_id):
    with module_valkey.client(1) as redis:
        return json.loads(redis.get(f"celery-task-meta-{task_id}"))


def test_a_caller_sees_progress_and_then_the_result(worker, client, viewer, module_valkey):
    began = time.monotonic()
    handle = client.send("app.tasks.toolbox.count", steps=20, seconds=0.1)
    wait_for(lambda: handle.status() == "PROGRESS")
    assert stored(module_valkey, handle.id)["result"].items() >= {"total": 20}.items()
    updates = list(handle.updates(60))
    assert updates[0] == "PROGRESS"
    assert (len(updates) > 4, updates[-1], set(updates[:-1])) == (True, "SUCCESS", {"PROGRESS"})
    assert handle.result() == 20
    took = time.monotonic() - began
    live = viewer()[f"progress:{handle.id}"]
    assert live[0] == {"current": 1, "total": 20, "message": "step 1"}
    assert live[-1] == {"current": 20, "total": 20, "message": "step 20"}
    assert [meta["current"] for meta in live] == sorted(meta["current"] for meta in live)
    assert 4 <= len(live) <= 4 * took + 2  # four a second, the first and the last
    assert [line["current"] for line in lines_of(worker, handle)] == [1, 20]


def test_a_watcher_sees_how_far_it_is_and_how_it_ends(worker, client):
    handle = client.send("app.tasks.toolbox.count", steps=4, seconds=0.5)
    *before, last = client.watch(handle.id, 60)
    shares = [event.progress.fraction for event in before if event.progress]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert before[-1].progress.message == "step 4"
    assert (last.status, last.result, last.progress, last.finished) == ("SUCCESS", 4, None, True)


def test_progress_expires_as_results_do(worker, client, module_valkey):
    handle = client.send("app.tasks.toolbox.count", steps=2, seconds=1)
    wait_for(lambda: handle.status() == "PROGRESS")
    with module_valkey.client(1) as redis:
        assert 86_000 < redis.ttl(f"celery-task-meta-{handle.id}") <= 86_400
    handle.result(60)


def test_a_million_reports_cost_a_few_writes(worker, client, viewer, record_property):
    handle = client.send("app.tasks.toolbox.rows", number=1_000_000)
    cost = handle.result(60)
    for clock, seconds in cost.items():
        record_property(f"{clock} seconds of a million reports", round(seconds, 2))
    live = viewer()[f"progress:{handle.id}"]
    assert len(live) <= 4 * cost["wall"] + 2
    assert (live[0]["current"], live[-1]["current"]) == (1, 1_000_000)


def test_progress_that_comes_late_does_not_hide_the_result(worker, client):
    handle = client.send("app.tasks.toolbox.careless", fails=False)
    assert handle.result(60) == "done"
    assert [handle.status() for _ in range(40) if not time.sleep(0.05)] == ["SUCCESS"] * 40


def test_nor_the_failure(worker, client):
    handle = client.send("app.tasks.toolbox.careless", fails=True)
    with pytest.raises(TaskFailed):
        handle.result(60)
    assert [handle.status() for _ in range(40) if not time.sleep(0.05)] == ["FAILURE"] * 40


@pytest.fixture
def make(module_valkey):
    """Makes a Progress in this process, for a task of which only what it uses is there."""

    def make_progress(task_id, *, url=None, ignore_result=False):
        app = Celery("here", backend=url or module_valkey.url.replace("/0", "/1"), set_as_current=False)
        request = SimpleNamespace(id=task_id, is_eager=False, ignore_result=ignore_result)
        task = SimpleNamespace(request=request, backend=app.backend, ignore_result=ignore_result)
        return Progress(task, per_second=1000)

    return make_progress


def test_a_task_that_is_sent_again_after_its_failure_shows_progress(make, module_valkey):
    with module_valkey.client(1) as redis:
        redis.set("celery-task-meta-again", json.dumps({"status": "FAILURE"}))
    make("again")(1, 10)
    assert stored(module_valkey, "again")["status"] == "PROGRESS"


def test_a_task_that_is_delivered_again_after_its_success_does_not(make, module_valkey):
    with module_valkey.client(1) as redis:
        redis.set("celery-task-meta-twice", json.dumps({"status": "SUCCESS"}))
    make("twice")(1, 10)
    assert stored(module_valkey, "twice") == {"status": "SUCCESS"}


def test_what_nobody_wants_to_know_later_is_only_shown_live(make, module_valkey, viewer):
    make("ignored", ignore_result=True)(1, 10)
    assert viewer()["progress:ignored"] == [{"current": 1, "total": 10, "message": ""}]
    with module_valkey.client(1) as redis:
        assert not redis.exists("celery-task-meta-ignored")


def test_the_end_is_written_once(make, viewer):
    progress = make("end")
    for _ in range(1000):
        progress(10, 10)
    assert len(viewer()["progress:end"]) < 500


def test_without_redis_a_task_goes_on(make):
    progress = make("away", url="redis://127.0.0.1:1/1")
    began = time.monotonic()
    with structlog.testing.capture_logs() as lines:
        for step in range(1, 1000):
            progress(step, 1000)
            time.sleep(0.001)
    assert time.monotonic() - began < 60
    assert [line["event"] for line in lines] == ["progress", "progress could not be written"]


def test_outside_a_worker_it_is_only_logged(make):
    with structlog.testing.capture_logs() as lines:
        make(None)(1, 2, "half")
    assert lines == [{"event": "progress", "current": 1, "total": 2, "message": "half", "log_level": "info"}]
