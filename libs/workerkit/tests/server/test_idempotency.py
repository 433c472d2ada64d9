"""Calls with an idempotency key on real workers and a real Valkey: one effect for each key, whatever dies."""

import hashlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from devstack.valkey import Valkey
from devstack.waiting import wait_for
from devstack.worker import WORKER, WorkerProcess
from taskclient.client import TaskClient
from taskclient.errors import TaskFailed
from taskclient.urls import default_result_url
from workerkit.idempotency import PREFIX

EFFECTS = Path(__file__).parent / "effects"
WORK, FLAKY, ALWAYS = "app.tasks.effects.work", "app.tasks.effects.flaky", "app.tasks.effects.always"
Start = Callable[..., WorkerProcess]


@pytest.fixture(scope="module")
def worker(module_valkey: Valkey, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerProcess]:
    folder = tmp_path_factory.mktemp("worker")
    with WorkerProcess(module_valkey, EFFECTS, "effects_app", folder=folder) as process:
        yield process


@pytest.fixture(scope="module")
def client(module_valkey: Valkey) -> Iterator[TaskClient]:
    with TaskClient(module_valkey.url, check=False) as connected:  # a worker shall refuse a payload
        yield connected


@pytest.fixture
def start(tmp_path: Path, run_worker: Start) -> Start:
    """Starts workers with traces in the same folder."""

    def start_worker(server: Valkey, *arguments: str, **settings: str) -> WorkerProcess:
        options = {"folder": tmp_path, "arguments": (*WORKER, *arguments), "settings": settings}
        return run_worker(WorkerProcess(server, EFFECTS, "effects_app", **options))

    return start_worker


def keys(server: Valkey) -> list[bytes]:
    with server.client() as redis:
        return sorted(redis.scan_iter(f"{PREFIX}*"))


def deliver_again(server: Valkey, message: bytes) -> None:
    """As the transport does when the acknowledgement got lost."""
    with server.client() as redis:
        redis.rpush("effects", message)


def caught_message(server: Valkey, send: Callable[[TaskClient], Any]) -> bytes:
    """The message that `send` sends, taken out of its queue; no worker may run."""
    with TaskClient(server.url) as client, server.client() as redis:
        send(client)
        message: Any = redis.lpop("effects")
        redis.rpush("effects", message)
        return bytes(message)


def test_a_repeated_call_returns_the_first_ones_result(worker: WorkerProcess, client: TaskClient):
    first = client.send(WORK, name="twice", idempotency_key="k").result(60)
    again = client.send(WORK, name="twice", idempotency_key="k").result(60)
    other = client.send(WORK, name="twice", idempotency_key="l").result(60)
    assert (first["run"], again, other["run"]) == (1, first, 2)
    assert worker.trace("twice") == ["start", "end"] * 2


def test_calls_without_a_key_run_each_and_leave_nothing(
    worker: WorkerProcess, client: TaskClient, module_valkey: Valkey
):
    before = keys(module_valkey)
    assert [client.send(WORK, name="plain").result(60)["run"] for _ in range(2)] == [1, 2]
    assert keys(module_valkey) == before


def test_the_same_key_of_another_task_is_another_key(worker: WorkerProcess, client: TaskClient):
    client.send(WORK, name="scope", idempotency_key="scope").result(60)
    client.send(ALWAYS, name="scope", idempotency_key="scope").result(60)
    assert worker.trace("scope") == ["start", "end", "start"]


def test_plain_celery_sets_the_header(worker: WorkerProcess, module_valkey: Valkey):
    url = module_valkey.url
    with Celery(broker=url, backend=default_result_url(url), set_as_current=False) as app:
        options: dict[str, Any] = {"queue": "effects", "headers": {"idempotency-key": "stock"}}
        results = [app.send_task(WORK, kwargs={"name": "stock"}, **options).get(timeout=20) for _ in range(2)]
    assert results[0] == results[1]
    assert worker.trace("stock") == ["start", "end"]


def test_the_command_line_sends_a_key(worker: WorkerProcess, module_valkey: Valkey):
    tasks = Path(sys.executable).with_name("tasks")
    argv = [
        tasks,
        "send",
        WORK,
        "name=typed",
        "--idempotency-key",
        "typed",
        "--wait",
        "20",
        "--broker",
        module_valkey.url,
    ]
    answers = [subprocess.run(argv, capture_output=True, text=True, check=True).stdout for _ in range(2)]
    assert answers[0] == answers[1]
    assert worker.trace("typed") == ["start", "end"]


def test_of_fifty_at_once_one_runs_and_all_get_its_result(worker: WorkerProcess, client: TaskClient):
    handles = [client.send(WORK, name="fifty", seconds=1, idempotency_key="fifty") for _ in range(50)]
    results = [handle.result(60) for handle in handles]
    assert len({result["task"] for result in results}) == 1
    assert worker.trace("fifty") == ["start", "end"]


def test_a_second_call_waits_without_a_slot_and_without_using_up_its_attempts(
    worker: WorkerProcess, client: TaskClient
):
    long = client.send(WORK, name="long", seconds=8, idempotency_key="long")
    wait_for(lambda: worker.trace("long") == ["start"])
    waiting = [client.send(WORK, name="long", idempotency_key="long") for _ in range(5)]
    assert client.send(WORK, name="neighbour").result(5)["run"] == 1
    assert all(handle.result(60) == long.result(60) for handle in waiting)
    log = [line for line in worker.log.read_text().splitlines() if waiting[0].id in line]
    assert any("waits for the first call" in line for line in log)
    assert not any('"attempt":2' in line or "will be retried" in line for line in log)


def test_a_key_is_kept_for_the_retries_of_its_call(worker: WorkerProcess, client: TaskClient):
    first = client.send(FLAKY, name="retried", good_from=3, idempotency_key="retried")
    wait_for(lambda: len(worker.trace("retried")) >= 1)
    second = client.send(FLAKY, name="retried", good_from=3, idempotency_key="retried")
    assert second.result(60) == first.result(60) == first.id
    assert worker.trace("retried") == ["start"] * 3


def test_a_call_that_failed_for_good_frees_its_key(worker: WorkerProcess, client: TaskClient):
    failing = {"name": "freed", "good_from": 2, "lasting": True}
    with pytest.raises(TaskFailed, match="no"):
        client.send_payload(FLAKY, failing, idempotency_key="freed").result(60)
    second = client.send_payload(FLAKY, failing, idempotency_key="freed")
    assert second.result(60) == second.id


def test_a_refused_payload_takes_no_key(worker: WorkerProcess, client: TaskClient):
    with pytest.raises(TaskFailed, match="seconds"):
        client.send(WORK, name="refused", seconds="long", idempotency_key="refused").result(60)
    assert client.send(WORK, name="refused", idempotency_key="refused").result(60)["run"] == 1


def test_a_result_is_kept_as_long_as_its_task_says(worker: WorkerProcess, client: TaskClient, module_valkey: Valkey):
    brief = "app.tasks.effects.brief"
    assert client.send(brief, name="brief", idempotency_key="b").result(60) == 1
    wait_for(lambda: not [key for key in keys(module_valkey) if b"brief" in key])
    assert client.send(brief, name="brief", idempotency_key="b").result(60) == 2
    client.send(WORK, name="kept", idempotency_key="kept").result(60)
    with module_valkey.client() as redis:
        assert any(86_000 < int(redis.ttl(key)) <= 86_400 for key in keys(module_valkey) if b"work" in key)


def test_a_finished_call_that_is_delivered_again_gets_its_own_result(valkey: Valkey, start: Start):
    message = caught_message(valkey, lambda client: client.send(WORK, name="late", task_id="late", idempotency_key="l"))
    worker = start(valkey)
    with TaskClient(valkey.url) as client:
        first = client.handle("late").result(60)
        deliver_again(valkey, message)
        assert client.send(WORK, name="after").result(60)["run"] == 1
        wait_for(lambda: worker.log.read_text().count("the result of the first call is returned") == 1)
        assert client.handle("late").result() == first
    assert worker.trace("late") == ["start", "end"]


def test_an_idempotent_task_has_its_id_for_a_key(worker: WorkerProcess, client: TaskClient):
    assert client.send(ALWAYS, name="always", task_id="a").result(60) == "a"
    client.send(ALWAYS, name="always", task_id="a").result(60)
    assert client.send(ALWAYS, name="always", task_id="b").result(60) == "b"
    wait_for(lambda: worker.log.read_text().count("the result of the first call is returned") >= 1)
    assert worker.trace("always") == ["start"] * 2


def test_a_callers_key_is_not_taken_for_a_tasks_id(worker: WorkerProcess, client: TaskClient):
    client.send(ALWAYS, name="apart", task_id="apart").result(60)
    client.send(ALWAYS, name="apart", idempotency_key="apart").result(60)
    assert worker.trace("apart") == ["start"] * 2


def test_a_task_that_ends_as_another_hands_its_key_on(worker: WorkerProcess, client: TaskClient):
    name = "app.tasks.effects.hand_over"
    first = client.send(name, name="handed", idempotency_key="handed")
    second = client.send(name, name="handed", idempotency_key="handed")
    assert first.result(60) == second.result(20)
    assert worker.trace("handed") == ["start"]


def test_a_task_killed_between_its_effect_and_the_record_runs_again_once(worker: WorkerProcess, client: TaskClient):
    name = "app.tasks.effects.die_after_effect"
    handle = client.send(name, name="killed", idempotency_key="killed")
    wait_for(lambda: worker.trace("killed") == ["start"])
    repeated = client.send(name, name="killed", idempotency_key="killed")
    assert handle.result(60) == repeated.result(90) == 2
    assert worker.trace("killed") == ["start"] * 2


def test_a_task_that_always_kills_its_process_is_given_up(worker: WorkerProcess, client: TaskClient):
    handle = client.send("app.tasks.effects.die", name="poison")
    with pytest.raises(TaskFailed):
        handle.result(90)
    assert worker.trace("poison") == ["start"] * 3


def test_a_killed_workers_call_goes_on_elsewhere_and_the_waiting_ones_get_its_result(valkey: Valkey, start: Start):
    worker = start(valkey)
    with TaskClient(valkey.url) as client:
        client.send(WORK, name="dead", seconds=3, task_id="dead", idempotency_key="dead")
        wait_for(lambda: worker.trace("dead") == ["start"])
        worker.kill()
        start(valkey)
        repeated = client.send(WORK, name="dead", seconds=3, idempotency_key="dead")
        assert client.handle("dead").result(90) == repeated.result(90) == {"run": 2, "task": "dead"}
    assert worker.trace("dead") == ["start", "start", "end"]


def test_a_claim_that_nobody_renews_ends(worker: WorkerProcess, client: TaskClient, module_valkey: Valkey):
    key = f"{PREFIX}{WORK}:{hashlib.sha256(b'key:stale').hexdigest()}"
    with module_valkey.client() as redis:
        redis.hset(key, mapping={"task": "gone", "running": "token", "since": int(time.time() * 1000)})
        redis.pexpire(key, 3000)
    handle = client.send(WORK, name="stale", idempotency_key="stale")
    assert handle.result(60) == {"run": 1, "task": handle.id}
    assert "waits for the first call" in worker.log.read_text()


def test_redis_away_at_the_end_of_the_effect_is_waited_for(own_valkey: Valkey, start: Start):
    worker = start(own_valkey)
    with TaskClient(own_valkey.url) as client:
        handle = client.send(WORK, name="outage", seconds=3, idempotency_key="outage")
        wait_for(lambda: worker.trace("outage") == ["start"])
        own_valkey.kill()
        wait_for(lambda: worker.trace("outage") == ["start", "end"])
        time.sleep(2)
        own_valkey.start()
        own_valkey.wait_ready()
        first = handle.result(60)
        assert client.send(WORK, name="outage", idempotency_key="outage").result(60) == first
    assert worker.trace("outage") == ["start", "end"]
