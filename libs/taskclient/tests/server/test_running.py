"""What workers hold is listed from what they have claimed, without payloads, and no more than asked for."""

import json
import time

import pytest

from taskclient.letters import SERVICES_KEY
from taskclient.message import build_message
from taskclient.running import running_tasks

HOLDER = "host:1:ab"


@pytest.fixture
def broker(module_valkey):
    with module_valkey.client() as client:
        client.flushall()
        client.sadd(SERVICES_KEY, "email", "etl")
        client.zadd("worker:email:holders", {HOLDER: time.time() * 1000 + 60_000})
        yield client


def hold(broker, number, raw):
    broker.hset(f"worker:email:inflight:{HOLDER}", number, b"email\n" + raw)


def message(task_id, body="x"):
    return build_message("app.tasks.email.send", {"body": body}, queue="email", task_id=task_id)


def test_the_tasks_that_workers_hold(broker):
    hold(broker, 1, message("one", "y" * 100_000))
    (task,) = running_tasks(broker, most=10)
    assert (task.service, task.worker, task.id, task.task) == ("email", HOLDER, "one", "app.tasks.email.send")
    assert 0 <= task.seconds < 60


def test_no_more_than_asked_for(broker):
    for number in range(300):
        hold(broker, number, message(f"task-{number}"))
    assert len(running_tasks(broker, most=7)) == 7
    assert len({task.id for task in running_tasks(broker, most=1000)}) == 300


def test_what_cannot_be_read_is_left_out(broker):
    for number, raw in enumerate([b"", b"{", b'{"headers": 3}', b'{"headers": {"id": "x"}}', b"\xff" * 100_000]):
        hold(broker, number, raw)
    plain = {"body": "", "headers": {"id": "foreign", "task": "add"}, "properties": {}}
    hold(broker, 10, json.dumps(plain).encode())
    assert [(task.id, task.seconds) for task in running_tasks(broker, most=10)] == [("foreign", None)]


def test_nothing_runs_where_nobody_works(broker):
    broker.flushall()
    assert running_tasks(broker, most=10) == []
