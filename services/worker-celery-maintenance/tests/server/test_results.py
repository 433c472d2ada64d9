"""Celery's results in a real Valkey: old ones go, none stays for ever, and everything else is left alone."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from app.adapters.results import RedisResults
from app.processors.results_processor import ResultsProcessor
from devstack.ports import free_port
from devstack.valkey import Valkey
from taskclient.connection import RedisClient
from workerkit.errors import TransientError

DAY = 86_400
NOW = datetime(2013, 7, 1, 2, tzinfo=UTC)


def ago(days: float = 0, **more: float) -> str:
    return (NOW - timedelta(days=days, **more)).isoformat()


def store(client: RedisClient, name: str, status: str, done: str | None, expires: int | None = 30 * DAY) -> None:
    record = {"status": status, "result": "x" * 100, "traceback": None, "children": [], "date_done": done}
    client.set(f"celery-task-meta-{name}", json.dumps({**record, "task_id": name}), ex=expires)


def remove_old(server: Valkey, days: int = 7) -> int:
    return ResultsProcessor(RedisResults(server.url), lambda: NOW).remove_old(days)


def names(client: RedisClient) -> set[str]:
    return {key.decode().removeprefix("celery-task-meta-") for key in client.scan_iter()}


@pytest.fixture
def client(valkey: Valkey):
    with valkey.client() as connected:
        yield connected


def test_each_result_is_judged_by_its_state_its_age_and_its_expiry(valkey: Valkey, client: RedisClient):
    store(client, "old", "SUCCESS", ago(7, seconds=1))
    store(client, "boundary", "SUCCESS", ago(7))
    store(client, "without a zone", "FAILURE", ago(8).removesuffix("+00:00"))
    store(client, "endless and old", "REVOKED", ago(8), expires=None)
    store(client, "endless, no date", "FAILURE", None, expires=None)
    store(client, "endless and young", "SUCCESS", ago(1), expires=None)
    store(client, "running", "PROGRESS", None)
    store(client, "running, endless", "STARTED", None, expires=None)
    assert remove_old(valkey) == 4
    assert names(client) == {"boundary", "endless and young", "running", "running, endless"}
    for name in ("endless and young", "running, endless"):
        assert 6 * DAY < client.ttl(f"celery-task-meta-{name}") <= 7 * DAY
    for name in ("boundary", "running"):
        assert 29 * DAY < client.ttl(f"celery-task-meta-{name}") <= 30 * DAY
    assert remove_old(valkey) == 0


def test_keys_that_are_no_results_are_left_alone(valkey: Valkey, client: RedisClient):
    client.set("celery-taskset-meta-1", "{}")
    client.set("my-celery-task-meta-1", json.dumps({"status": "SUCCESS", "date_done": ago(900)}))
    client.lpush("celery-task-meta-list", "1")
    client.set("celery-task-meta-pickled", b"\x80\x04\xff")
    client.set("celery-task-meta-\xff", b"\xff", ex=DAY)
    before = names(client)
    assert remove_old(valkey) == 0
    assert names(client) == before
    assert client.ttl("celery-task-meta-pickled") > 0
    assert client.ttl("celery-task-meta-list") == client.ttl("celery-taskset-meta-1") == -1


def test_many_are_removed_by_small_steps_and_never_by_listing_all_keys(valkey: Valkey, client: RedisClient):
    for number in range(3000):
        store(client, f"old-{number}", "SUCCESS", ago(8))
        store(client, f"new-{number}", "SUCCESS", ago(1))
    client.config_resetstat()
    assert remove_old(valkey) == 3000
    assert {name.partition("-")[0] for name in names(client)} == {"new"}
    used = client.info("commandstats")
    assert "cmdstat_keys" not in used
    assert used["cmdstat_scan"]["calls"] > 30


def test_a_result_that_was_written_again_stays(valkey: Valkey, client: RedisClient):
    store(client, "again", "FAILURE", ago(8))
    results = RedisResults(valkey.url)
    [found] = next(batch for batch in results.batches() if batch)
    store(client, "again", "SUCCESS", ago(0))
    assert results.remove([found]) == 0
    assert names(client) == {"again"}


def test_a_server_that_is_away_is_a_passing_failure_without_the_password():
    away = RedisResults(f"redis://:hidden@127.0.0.1:{free_port()}/1")
    with pytest.raises(TransientError, match="looking for results") as caught:
        list(away.batches())
    assert "hidden" not in str(caught.value)
