"""What callers see while Redis is away, comes back, or refuses."""

import json
import threading
import time

import pytest
import redis

from taskclient.client import TaskClient
from taskclient.errors import BrokerUnavailable, TaskTimeout


def store(url: str, task_id: str, status: str, result: object) -> None:
    """What a worker does at a task's end."""
    record = json.dumps({"status": status, "result": result, "traceback": None, "task_id": task_id})
    with redis.Redis.from_url(url) as results, results.pipeline() as pipe:
        pipe.set(f"celery-task-meta-{task_id}", record)
        pipe.publish(f"celery-task-meta-{task_id}", record)
        pipe.execute()


def results_of(server) -> str:
    return server.url[:-1] + "1"


def test_send_while_down_says_so_and_hides_the_password(own_valkey):
    own_valkey.stop()

    with TaskClient(own_valkey.url) as client, pytest.raises(BrokerUnavailable) as caught:
        client.send("app.tasks.demo.add", a=1, b=2)

    assert f"redis://:***@127.0.0.1:{own_valkey.port}/0" in str(caught.value)
    assert own_valkey.password not in str(caught.value)
    assert "Check that it runs" in str(caught.value)


def test_everything_else_while_down(own_valkey):
    own_valkey.stop()

    with TaskClient(own_valkey.url) as client:
        for ask in (
            client.catalog,
            client.handle("x").status,
            lambda: client.handle("x").wait(1),
            lambda: list(client.watch("x", 1)),
            client.queues,
            lambda: client.pause("email"),
            client.schedules,
            lambda: client.pause_schedule("x"),
            lambda: client.cancel("x"),
        ):
            with pytest.raises(BrokerUnavailable):
                ask()


def test_send_after_a_restart_needs_no_new_client(own_valkey):
    with TaskClient(own_valkey.url) as client, redis.Redis.from_url(own_valkey.url) as broker:
        client.send("app.tasks.demo.add", a=1, b=2)
        own_valkey.stop()
        own_valkey.start()
        own_valkey.wait_ready()
        client.send("app.tasks.demo.add", a=1, b=2)

        assert broker.llen("demo") == 2


def test_wrong_password(valkey):
    with TaskClient(valkey.url.replace("://:", "://:wrong")) as client:
        with pytest.raises(BrokerUnavailable, match="Check the user and the password"):
            client.send("app.tasks.demo.add")
        with pytest.raises(BrokerUnavailable, match="Check the user and the password"):
            client.handle("x").wait(5)


def test_full_redis(own_valkey):
    with redis.Redis.from_url(own_valkey.url) as admin, TaskClient(own_valkey.url) as client:
        admin.config_set("maxmemory", 1)

        with pytest.raises(BrokerUnavailable, match="free memory"):
            client.send("app.tasks.demo.add")


def test_no_such_result_database(valkey):
    with TaskClient(valkey.url, valkey.url[:-1] + "999") as client, pytest.raises(BrokerUnavailable, match="DB index"):
        client.handle("x").status()


def test_wait_survives_a_restart(own_valkey):
    """The task ends while nobody listens: the look after the new subscription finds it."""
    with TaskClient(own_valkey.url) as client:
        waiting = Waiting(client, "restart", timeout=20)
        time.sleep(0.3)
        own_valkey.stop()
        time.sleep(0.7)
        own_valkey.start()
        own_valkey.wait_ready()
        store(results_of(own_valkey), "restart", "SUCCESS", "still here")

        assert waiting.result() == "still here"


def test_wait_that_ends_during_the_outage_says_that_redis_is_away(own_valkey):
    with TaskClient(own_valkey.url) as client:
        waiting = Waiting(client, "gone", timeout=6)
        time.sleep(0.3)
        own_valkey.stop()

        with pytest.raises(BrokerUnavailable):
            waiting.result()


def test_an_announcement_is_heard_at_once(valkey, client):
    waiting = Waiting(client, "announced", timeout=20)
    time.sleep(0.3)
    stored = time.monotonic()
    store(results_of(valkey), "announced", "SUCCESS", 1)

    assert waiting.result() == 1
    assert time.monotonic() - stored < 1


def test_a_lost_announcement_is_made_up_for(valkey, client):
    waiting = Waiting(client, "silent", timeout=20)
    time.sleep(0.3)
    with redis.Redis.from_url(results_of(valkey)) as results:
        results.set("celery-task-meta-silent", json.dumps({"status": "SUCCESS", "result": 1}))

    assert waiting.result() == 1


def test_wait_for_nothing_times_out(client):
    with pytest.raises(TaskTimeout, match="PENDING"):
        client.handle("nobody").wait(0.3)
    with pytest.raises(TaskTimeout):
        client.handle("nobody").result()


class Waiting:
    """A wait in a thread of its own."""

    def __init__(self, client: TaskClient, task_id: str, timeout: float) -> None:
        self._value: object = None
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, args=(client.handle(task_id), timeout))
        self._thread.start()

    def _run(self, task, timeout: float) -> None:
        try:
            self._value = task.result(timeout)
        except Exception as error:  # noqa: BLE001 - raised again in the test's thread
            self._error = error

    def result(self) -> object:
        self._thread.join(timeout=30)
        if self._error is not None:
            raise self._error
        return self._value
