"""What happens to tasks when things break: one real worker, one real server, real signals."""

import time
from collections.abc import Callable

from devstack.valkey import Valkey
from devstack.waiting import wait_for
from devstack.worker import WorkerProcess
from taskclient.client import TaskClient

Start = Callable[..., WorkerProcess]


def test_a_restarted_broker_neither_ends_the_worker_nor_its_running_tasks(
    own_valkey: Valkey, start_demo: Start
) -> None:
    worker = start_demo(own_valkey)
    with TaskClient(own_valkey.url) as client:
        client.send("app.tasks.demo.sleep", name="long", seconds=6)
        wait_for(lambda: worker.trace("long") == ["start"])
        own_valkey.kill()
        wait_for(lambda: not worker.is_ready())
        assert worker.is_live()
        time.sleep(2)
        own_valkey.start()
        own_valkey.wait_ready()
        wait_for(worker.is_ready)
        assert client.send("app.tasks.demo.sleep", name="next", seconds=0).result(60) == "next"
    assert worker.alive()
    wait_for(lambda: "end" in worker.trace("long"))


def test_sigterm_lets_a_short_task_finish_and_ends_at_once_then(
    valkey: Valkey, start_demo: Start, client: TaskClient
) -> None:
    worker = start_demo(valkey, TASK_DRAIN_SECONDS="120")
    handle = client.send("app.tasks.demo.sleep", name="short", seconds=3)
    wait_for(lambda: worker.trace("short") == ["start"])
    worker.terminate()
    wait_for(lambda: not worker.alive())
    assert worker.exit_code() == 0
    assert handle.result() == "short"


def test_sigterm_puts_back_what_does_not_finish(valkey: Valkey, start_demo: Start, client: TaskClient) -> None:
    worker = start_demo(valkey)
    names = ["long-1", "long-2", *(f"queued-{n}" for n in range(20))]
    for name in names:
        client.send("app.tasks.demo.sleep", name=name, seconds=200 if name.startswith("long") else 0)
    wait_for(lambda: worker.trace("long-1") == worker.trace("long-2") == ["start"])
    worker.terminate()
    wait_for(lambda: not worker.alive())
    with valkey.client() as redis:
        assert redis.llen("demo") == len(names)
    assert worker.trace("long-1") == ["start"]


def test_sigterm_while_the_broker_is_away_ends_the_worker(own_valkey: Valkey, start_demo: Start) -> None:
    worker = start_demo(own_valkey)
    own_valkey.kill()
    wait_for(lambda: not worker.is_ready())
    worker.terminate()
    wait_for(lambda: not worker.alive())


def test_a_drain_goes_on_after_the_broker_was_away(own_valkey: Valkey, start_demo: Start) -> None:
    worker = start_demo(own_valkey)
    with TaskClient(own_valkey.url) as client:
        client.send("app.tasks.demo.sleep", name="long", seconds=8)
        wait_for(lambda: worker.trace("long") == ["start"])
        worker.terminate()
        wait_for(lambda: "draining" in worker.log.read_text())
        own_valkey.kill()
        own_valkey.start()
        own_valkey.wait_ready()
        for number in range(5):
            client.send("app.tasks.demo.mark", name=f"late-{number}")
    wait_for(lambda: not worker.alive())
    with own_valkey.client() as redis:
        assert redis.llen("demo") >= 5
    assert worker.trace("late-0") == []


def test_a_killed_pool_process_costs_no_task(valkey: Valkey, start_demo: Start, client: TaskClient) -> None:
    worker = start_demo(valkey)
    handle = client.send("app.tasks.demo.sleep", name="victim", seconds=2)
    wait_for(lambda: worker.trace("victim") == ["start"])
    for child in worker.children():
        child.kill()
    assert handle.result(60) == "victim"
    assert worker.trace("victim") == ["start", "start", "end"]
