"""What is stored of a task's end, beside Celery's own backend on the same server."""

import json

import pytest
from celery import Celery
from celery.backends.redis import RedisBackend
from celery.exceptions import BackendStoreError

from workerkit.result_backend import ResultBackend


@pytest.fixture
def app():
    with Celery("results", set_as_current=False) as made:
        made.conf.result_expires = 1000
        yield made


@pytest.fixture
def backend(app, valkey):
    return ResultBackend(app=app, url=valkey.url)


def stored(redis, task_id):
    return json.loads(redis.get(f"celery-task-meta-{task_id}"))


@pytest.mark.filterwarnings("ignore:Call to deprecated setex")  # of the stock backend
def test_a_record_is_celerys(app, backend, valkey):
    ends = [("SUCCESS", {"rows": [1, 2.5, None]}), ("FAILURE", ValueError("é ☃")), ("RETRY", ValueError("later"))]
    for number, (state, value) in enumerate(ends):
        for name, each in (("own", backend), ("stock", RedisBackend(app=app, url=valkey.url))):
            each.store_result(f"{name}-{number}", value, state, traceback="lines")
    with valkey.client() as redis:
        for number in range(len(ends)):
            own, stock = stored(redis, f"own-{number}"), stored(redis, f"stock-{number}")
            assert own.keys() == stock.keys()
            assert {**own, "task_id": "", "date_done": ""} == {**stock, "task_id": "", "date_done": ""}
            times = [redis.ttl(f"celery-task-meta-{name}-{number}") for name in ("own", "stock")]
            assert 900 < min(times) <= max(times) <= 1000


def test_a_failure_is_kept_for_its_own_time(app, backend, valkey):
    app.conf.result_failure_expires = 5000
    made = ResultBackend(app=app, url=valkey.url)
    made.store_result("failed", ValueError("no"), "FAILURE")
    made.store_result("done", 1, "SUCCESS")
    with valkey.client() as redis:
        assert redis.ttl("celery-task-meta-done") <= 1000
        assert redis.ttl("celery-task-meta-failed") > 4900


def test_without_a_time_it_stays(app, valkey):
    ResultBackend(app=app, url=valkey.url, expires=0).store_result("for-ever", 1, "SUCCESS")
    with valkey.client() as redis:
        assert redis.ttl("celery-task-meta-for-ever") == -1


def test_a_success_stays_and_all_else_gives_way(backend, valkey):
    backend.store_result("once", 1, "FAILURE")
    backend.store_result("once", 2, "SUCCESS")
    backend.store_result("once", ValueError("a lost worker's late word"), "FAILURE")
    backend.store_result("once", 3, "SUCCESS")
    assert backend.get_task_meta("once", cache=False)["result"] == 2


@pytest.mark.parametrize("junk", ["", "{", "[]", "null", "7", '{"status": 7}', "[" * 5000])
def test_junk_under_its_key_is_replaced(backend, valkey, junk):
    with valkey.client() as redis:
        redis.set("celery-task-meta-junk", junk)
        backend.store_result("junk", 1, "SUCCESS")
        assert stored(redis, "junk")["result"] == 1


def test_who_waits_is_told_and_a_redis_without_the_script_learns_it(backend, valkey):
    with valkey.client() as redis, redis.pubsub(ignore_subscribe_messages=True) as listener:
        listener.subscribe("celery-task-meta-told")
        listener.get_message(timeout=10)
        redis.script_flush()
        backend.store_result("told", "news", "SUCCESS")
        assert json.loads(listener.get_message(timeout=10)["data"]) == stored(redis, "told")


def test_what_redis_cannot_hold_is_refused(backend, monkeypatch):
    monkeypatch.setattr(backend, "_MAX_STR_VALUE_SIZE", 1000)
    with pytest.raises(BackendStoreError, match="too large"):
        backend.store_result("large", "x" * 1000, "SUCCESS")
