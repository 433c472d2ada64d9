"""A message from the client is run by a stock Celery worker, and its end is read, however it ends."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from taskclient.client import TaskClient
from taskclient.errors import TaskFailed, TaskRejected, TaskRevoked, TaskTimeout

pytestmark = pytest.mark.usefixtures("worker")


def test_result(client):
    task = client.send("app.tasks.demo.add", a=2, b=3)

    assert task.result(timeout=20) == 5
    assert task.status() == "SUCCESS"
    assert client.handle(task.id).result() == 5


def test_a_handle_holds_no_connection_after_the_wait(client, broker):
    client.send("app.tasks.demo.add", a=2, b=3).wait(60)

    assert not broker.pubsub_channels("celery-task-meta-*")


def test_submit_and_wait(client):
    assert client.submit_and_wait("app.tasks.demo.add", 20, a=2, b=3, task_id="submitted") == 5
    assert client.handle("submitted").status() == "SUCCESS"
    with pytest.raises(TaskTimeout):
        client.submit_and_wait("app.tasks.demo.sleep", timeout=0.1, seconds=0.5)


def test_failure_says_type_and_message(client):
    task = client.send("app.tasks.demo.fail", text="no such thing").wait(60)

    with pytest.raises(TaskFailed) as caught:
        task.result()
    assert (caught.value.task_id, caught.value.error_type) == (task.id, "KeyError")
    assert caught.value.message == "no such thing, 7"
    assert "raise KeyError(text, 7)" in caught.value.traceback


def test_rejection_names_the_fields(client):
    with pytest.raises(TaskRejected) as caught:
        client.send("app.tasks.demo.refuse", colour="red", size=3).result(timeout=20)
    assert caught.value.errors == [
        {"field": "colour", "problem": "unknown"},
        {"field": "size", "problem": "unknown"},
    ]
    assert caught.value.message == "app.tasks.demo.refuse takes no such payload"


def test_wait_ends_in_time_and_the_task_runs_on(client):
    task = client.send("app.tasks.demo.sleep", seconds=4)
    started = time.monotonic()

    with pytest.raises(TaskTimeout, match=task.id):
        task.wait(0.5)
    assert 0.4 < time.monotonic() - started < 4
    assert task.wait(60) is task


def test_updates_show_the_way(client):
    task = client.send("app.tasks.demo.sleep", seconds=0.5)

    words = list(task.updates(60))

    assert words[-2:] == ["STARTED", "SUCCESS"]
    assert set(words[:-2]) <= {"PENDING"}


@pytest.mark.parametrize("how", ["countdown", "eta"])
def test_start_time_is_honoured(client, how):
    earliest = datetime.now(UTC) + timedelta(seconds=1.5)
    when = {"countdown": 1.5} if how == "countdown" else {"eta": earliest}

    ran = client.send_payload("app.tasks.demo.sleep", {"seconds": 0}, **when).result(timeout=20)

    assert ran >= earliest.timestamp()


def test_expired_task_is_revoked(client):
    task = client.send("app.tasks.demo.add", a=1, b=1, expires=0)

    with pytest.raises(TaskRevoked, match=r"was revoked.*expired"):
        task.result(timeout=20)
    assert task.status() == "REVOKED"


def test_values_that_kombu_wraps_come_as_text(client):
    result = client.send("app.tasks.demo.wrapped").result(timeout=20)

    assert result == ["2025-01-02", "1.50", "00000000000000000000000000000001"]


def test_worker_sees_the_correlation_id(client):
    task = client.send("app.tasks.demo.request", correlation_id="order-17")

    assert task.result(timeout=20) == [task.id, "order-17"]


def test_wait_without_a_limit(valkey):
    with TaskClient(valkey.url) as client:
        assert client.send("app.tasks.demo.add", a="a", b="b").result(timeout=None) == "ab"
