"""Replayed tasks on a real Celery worker: results, chains and chords go on as if the failure had not been."""

import base64
import json
import sys

import pytest
from celery import Celery, chain, chord, group

from devstack.process import ManagedProcess
from devstack.waiting import wait_for
from taskclient.client import TaskClient
from taskclient.errors import NotReplayable, TaskFailed

WORKER_APP = """
from pathlib import Path
from celery import Celery

app = Celery("demo", broker={broker!r}, backend={results!r})
app.conf.update(task_default_queue="demo", worker_hijack_root_logger=False)


@app.task(name="app.tasks.demo.check")
def check(number):
    if Path(f"broken-{{number}}").exists():
        raise KeyError(number)
    return number


@app.task(name="app.tasks.demo.total")
def total(numbers):
    return sum(numbers)


@app.task(name="app.tasks.demo.double")
def double(number):
    return number * 2
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("worker")


@pytest.fixture(scope="module")
def worker(module_valkey, folder):
    """A worker of the queue `demo`; the callers' messages go to `tray`, where the tests take them from."""
    url = module_valkey.url
    (folder / "demo_app.py").write_text(WORKER_APP.format(broker=url, results=url[:-1] + "1"))
    options = ["-P", "solo", "-Q", "demo", "-l", "warning", "--without-gossip", "--without-mingle"]
    argv = [sys.executable, "-m", "celery", "-A", "demo_app", "worker", *options]
    with ManagedProcess("worker", argv, log=folder / "worker.log", cwd=folder) as process:
        with TaskClient(url) as client:
            assert client.send("app.tasks.demo.double", number=1).result(timeout=60) == 2
        yield process


def by_name(number):
    """What the caller knows of a task; Celery asks for it where it makes chords."""


@pytest.fixture
def caller(module_valkey, worker):
    url = module_valkey.url
    with Celery(broker=url, backend=url[:-1] + "1", set_as_current=False) as app:
        app.conf.task_default_queue = "tray"
        for name in ("check", "total", "double"):
            app.task(by_name, name=f"app.tasks.demo.{name}", shared=False)
        yield app


@pytest.fixture
def client(module_valkey):
    with TaskClient(module_valkey.url) as client:
        yield client


@pytest.fixture
def server(module_valkey):
    with module_valkey.client() as server:
        yield server


@pytest.fixture
def bury(make_bury, module_valkey):
    return make_bury(module_valkey)


@pytest.fixture
def break_task(folder):
    """Lets the task fail for a number; the returned function mends it."""
    files = []

    def break_it(number):
        files.append(folder / f"broken-{number}")
        files[-1].touch()
        return files[-1].unlink

    yield break_it
    for file in files:
        file.unlink(missing_ok=True)


def run_and_bury(server, bury):
    """Give the messages in the tray to the worker; what is going to fail there is a letter, as a worker would write."""
    ids = []
    while raw := server.rpop("tray"):
        message = json.loads(raw)
        bury(task_id := message["headers"]["id"], raw)
        args = json.loads(base64.b64decode(message["body"]))[0]
        ids.append((task_id, args))
        server.lpush("demo", raw)
    return ids


def signature(caller, name, *args):
    return caller.signature(f"app.tasks.demo.{name}", args=args)


def test_who_waits_for_a_failed_task_gets_its_result_after_the_replay(caller, client, server, bury, break_task):
    mend = break_task(1)
    task = client.handle(signature(caller, "check", 1).apply_async().id)
    run_and_bury(server, bury)
    wait_for(lambda: caller.AsyncResult(task.id).state == task.status() == "FAILURE")

    mend()
    client.dead_letters().replay(task.id, to="tray")  # where it waits

    assert caller.AsyncResult(task.id).state == task.status() == "PENDING"
    deliver(server)
    assert task.result(60) == 1
    fresh = caller.AsyncResult(task.id)
    assert (fresh.state, fresh.get(timeout=60)) == ("SUCCESS", 1)


def test_a_task_that_fails_again_says_so_again(caller, client, server, bury, break_task):
    break_task(3)
    task = client.handle(signature(caller, "check", 3).apply_async().id)
    run_and_bury(server, bury)
    wait_for(lambda: task.status() == "FAILURE")

    client.dead_letters().replay(task.id, to="tray")
    deliver(server)

    with pytest.raises(TaskFailed, match="3"):
        task.result(60)


def test_a_chain_goes_on(caller, client, server, bury, break_task):
    mend = break_task(2)
    steps = chain(signature(caller, "check", 2), signature(caller, "double"), signature(caller, "double"))
    result = steps.apply_async()
    [(first, _)] = run_and_bury(server, bury)
    handles = [client.handle(task_id) for task_id in (first, result.parent.id, result.id)]
    wait_for(lambda: {handle.status() for handle in handles} == {"FAILURE"})

    mend()
    client.dead_letters().replay(first, to="tray")

    assert {handle.status() for handle in handles} == {"PENDING"}
    deliver(server)
    assert client.handle(result.id).result(60) == 8


@pytest.fixture
def failed_chord(caller, client, server, bury, break_task):
    """A chord of three, some of which fail, run to its end; gives the body's result and how to mend and replay."""

    def run(*broken):
        mends = {number: break_task(number) for number in broken}
        header = group(signature(caller, "check", number) for number in (10, 20, 30))
        body = chord(header)(signature(caller, "total"))
        ids = {args[0]: task_id for task_id, args in run_and_bury(server, bury)}
        wait_for(lambda: client.handle(body.id).status() == "FAILURE")

        def replay(*numbers):
            for number in numbers:
                mends[number]()
                replay_patiently(client, ids[number])

        return body.id, ids, replay

    return run


def replay_patiently(client, task_id):
    """A worker that is just ending the chord keeps it for up to ten seconds."""

    def done():
        try:
            client.dead_letters().replay(task_id)
        except NotReplayable:
            return False
        return True

    wait_for(done)


def deliver(server):
    while raw := server.rpop("tray"):
        server.lpush("demo", raw)


def succeeds(client, server, task_id):
    def done():
        deliver(server)
        return client.handle(task_id).status() == "SUCCESS"

    wait_for(done)
    return client.handle(task_id).result()


def test_a_chord_that_has_failed_runs_its_body_after_the_replay(failed_chord, client, server):
    body, _, replay = failed_chord(20)

    replay(20)

    assert succeeds(client, server, body) == 60


def test_a_chord_with_two_failures_waits_for_both(failed_chord, client, server):
    body, _, replay = failed_chord(10, 30)

    replay(10, 30)

    assert succeeds(client, server, body) == 60


def test_a_chord_is_mended_one_failure_after_the_other(failed_chord, client, server):
    body, ids, replay = failed_chord(10, 30)

    replay(10)
    succeeds(client, server, ids[10])
    assert client.handle(body).status() == "FAILURE"
    replay(30)

    assert succeeds(client, server, body) == 60


def test_a_chord_that_still_runs_waits_for_the_replayed_task(caller, client, server, bury, break_task):
    mend = break_task(20)
    body = chord(group(signature(caller, "check", number) for number in (10, 20)))(signature(caller, "total"))
    messages = [server.rpop("tray") for _ in range(2)]
    broken = next(raw for raw in messages if b"20" in base64.b64decode(json.loads(raw)["body"])[:6])
    broken_id = json.loads(broken)["headers"]["id"]
    bury(broken_id, broken)
    server.lpush("demo", broken)
    wait_for(lambda: client.handle(broken_id).status() == "FAILURE")

    mend()
    client.dead_letters().replay(broken_id)
    wait_for(lambda: client.handle(broken_id).status() == "SUCCESS")
    server.lpush("demo", *[raw for raw in messages if raw != broken])

    assert succeeds(client, server, body.id) == 30


def test_a_chord_whose_data_are_gone_leaves_the_task_to_run_alone(failed_chord, module_valkey, client, server):
    body, ids, replay = failed_chord(20)
    with module_valkey.client(database=1) as results:
        results.delete(*results.keys("celery-taskset-meta-*"))

    replay(20)

    assert succeeds(client, server, ids[20]) == 20
    assert client.handle(body).status() == "FAILURE"
