"""Limits of a task's rate and of its messages' wait, on real workers."""

import itertools
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from devstack.valkey import Valkey
from devstack.waiting import wait_for
from devstack.worker import WORKER, WorkerProcess
from taskclient.client import TaskClient
from taskclient.errors import TaskFailed, TaskRevoked
from taskclient.message import PUBLISHED_HEADER, build_message

Start = Callable[..., WorkerProcess]
LIMITS = Path(__file__).parent / "limits"


@pytest.fixture
def start(tmp_path: Path, run_worker: Start) -> Start:
    numbers = itertools.count()

    def start_one(server: Valkey, **settings: str) -> WorkerProcess:
        number = next(numbers)
        folder = tmp_path / f"worker-{number}"
        folder.mkdir()
        traces = {"TRACES": str(tmp_path / "worker-0" / "traces")}  # one for all
        arguments = [*WORKER, f"--hostname=limits-{number}@host"]
        options = {"folder": folder, "arguments": arguments, "settings": traces | settings}
        return run_worker(WorkerProcess(server, LIMITS, "limits_app", **options))

    return start_one


def starts(worker: WorkerProcess, name: str) -> dict[str, float]:
    """When each message's task started; a task that started twice is an error."""
    lines = [line.split() for line in worker.trace(name)]
    found = {text: float(at) for text, at in lines}
    assert len(found) == len(lines)
    return found


def letters(server: Valkey) -> list[dict[str, Any]]:
    with server.client() as redis:
        return [json.loads(letter) for letter in redis.hvals("worker:limits:dead:letters")]


def test_two_workers_together_keep_the_limit(valkey: Valkey, start: Start, client: TaskClient) -> None:
    first, _ = start(valkey), start(valkey)
    for number in range(30):
        client.send("app.tasks.limits.paced", name=str(number))
    wait_for(lambda: len(first.trace("paced")) == 30)

    times = sorted(starts(first, "paced").values())
    assert times[-1] - times[0] > 2  # 29 intervals of 0.1 s, the first start may have been a little late
    for position in range(15):
        assert times[position + 15] - times[position] > 0.5  # 1.5 but for what delays a start


def test_what_waits_for_its_turn_holds_no_slot(valkey: Valkey, start: Start, client: TaskClient) -> None:
    worker = start(valkey, CELERYCONFIG_WORKER_CONCURRENCY="1")
    for number in range(20):
        client.send("app.tasks.limits.hourly", name=str(number))
    client.send("app.tasks.limits.free", name="free")
    wait_for(lambda: worker.trace("free") != [])

    assert len(worker.trace("hourly")) == 1
    with valkey.client() as redis:
        wait_for(lambda: redis.zcard("worker:limits:delayed") == 19)


def test_an_expired_message_books_no_start(valkey: Valkey, start: Start, client: TaskClient) -> None:
    expired = client.send("app.tasks.limits.hourly", name="late", expires=0.1)
    time.sleep(0.3)
    worker = start(valkey)
    with pytest.raises(TaskRevoked):
        expired.result(60)
    client.send("app.tasks.limits.hourly", name="wanted")

    wait_for(lambda: starts(worker, "hourly").keys() == {"wanted"})


def test_celerys_own_rate_limit_still_works(valkey: Valkey, start: Start, client: TaskClient) -> None:
    worker = start(valkey)
    for number in range(5):
        client.send("app.tasks.limits.by_worker", name=str(number))
    wait_for(lambda: len(worker.trace("by_worker")) == 5)

    times = sorted(starts(worker, "by_worker").values())
    assert times[-1] - times[0] > 1.5


def test_a_message_that_waited_too_long_is_a_dead_letter_and_its_caller_reads_why(
    valkey: Valkey, start: Start, client: TaskClient
) -> None:
    late = client.send("app.tasks.limits.fresh", name="late")
    time.sleep(1.2)
    worker = start(valkey)
    with pytest.raises(TaskFailed, match=r"fresh was not run: it waited .* s for a worker.*max_queue_wait is 1\.0 s"):
        late.result(60)

    wait_for(lambda: len(letters(valkey)) == 1)
    [letter] = letters(valkey)
    assert (letter["id"], letter["reason"]) == (late.id, "waited too long")
    assert client.send("app.tasks.limits.fresh", name="soon").result(60) == "soon"
    assert starts(worker, "fresh").keys() == {"soon"}
    with valkey.client() as redis:
        assert redis.llen("limits") == 0


def test_the_wait_of_a_delayed_message_counts_from_its_eta(valkey: Valkey, start: Start, client: TaskClient) -> None:
    start(valkey)
    assert client.send("app.tasks.limits.fresh", name="later", countdown=3).result(60) == "later"


def test_the_wait_of_a_retry_counts_from_the_retry(valkey: Valkey, start: Start, client: TaskClient) -> None:
    start(valkey)
    assert client.send("app.tasks.limits.again", name="again").result(60) == 1


def test_an_expired_message_is_revoked_as_in_celery(valkey: Valkey, start: Start, client: TaskClient) -> None:
    task = client.send("app.tasks.limits.fresh", name="late", expires=0.2)
    time.sleep(1.2)  # longer than its max_queue_wait too
    worker = start(valkey)
    with pytest.raises(TaskRevoked):
        task.result(60)

    assert worker.trace("fresh") == []
    assert letters(valkey) == []


def test_a_message_without_a_publish_time_is_run(valkey: Valkey, start: Start, client: TaskClient) -> None:
    message = json.loads(build_message("app.tasks.limits.fresh", {"name": "plain"}, queue="limits", task_id="plain"))
    del message["headers"][PUBLISHED_HEADER]
    with valkey.client() as redis:
        redis.lpush("limits", json.dumps(message))
    time.sleep(1.2)
    start(valkey)

    assert client.handle("plain").result(60) == "plain"


def test_what_a_worker_sends_says_when(valkey: Valkey, start: Start, client: TaskClient) -> None:
    start(valkey)
    began = time.time()
    client.send("app.tasks.limits.forward", name="on").result(60)
    with valkey.client() as redis:
        message = json.loads(redis.lindex("elsewhere", 0))

    assert began - 1 < message["headers"]["x-published-at"] < time.time() + 1
