"""What limits and keeps apart the runs of tasks, on RabbitMQ: idempotency keys, rate limits, queue waits."""

import os
import signal
import time
from urllib.parse import quote

import pytest

from devstack.waiting import wait_for
from taskclient.amqp_message import DELIVERIES_BEFORE
from taskclient.errors import QueueFull, TaskFailed

HOLD_ONCE, LIMITED, HURRIED = "app.tasks.demo.hold_once", "app.tasks.demo.limited", "app.tasks.demo.hurried"


def test_calls_of_the_same_key_run_once(stage, worker, client):
    first = client.send(HOLD_ONCE, name="first", idempotency_key="key")
    wait_for(lambda: worker.trace("first") == ["start"])
    second = client.send(HOLD_ONCE, name="second", idempotency_key="key")
    wait_for(lambda: "waits for the first call" in worker.log.read_text())
    stage.end("first")
    assert (first.result(60), second.result(30)) == ("first", "first")
    assert (worker.trace("first"), worker.trace("second")) == (["start", "end"], [])


def test_no_other_worker_runs_what_a_worker_without_connection_runs(stage, client):
    first = stage.start()
    sent = client.send(HOLD_ONCE, name="once")
    wait_for(lambda: first.trace("once") == ["start"])
    second = stage.start()
    os.kill(first.pid, signal.SIGSTOP)  # its pool process runs on
    drop_connections(stage)
    wait_for(lambda: "waits for the first call" in second.log.read_text())
    stage.end("once")
    wait_for(lambda: first.trace("once") == ["start", "end"])
    os.kill(first.pid, signal.SIGCONT)
    assert sent.result(60) == "once"
    wait_for(lambda: stage.queues() == {"demo": 0, "demo.dead": 0}, 40)
    assert first.trace("once") == ["start", "end"]


def test_a_killed_worker_leaves_its_key_to_the_next_one(stage, client):
    victim = stage.start()
    sent = client.send(HOLD_ONCE, name="victim")
    wait_for(lambda: victim.trace("victim") == ["start"])
    other = stage.start()
    victim.kill()
    wait_for(lambda: other.trace("victim") == ["start", "start"], 60)
    stage.end("victim")
    assert sent.result(60) == "victim"


def test_deliveries_are_counted_on_when_a_message_is_sent_anew(stage, worker, client):
    sent = client.send(HOLD_ONCE, name="poison")
    wait_for(lambda: worker.trace("poison") == ["start"])
    for child in worker.children():
        child.kill()
    wait_for(lambda: "waits for the first call" in worker.log.read_text(), 30)
    stage.valkey.client().delete(*stage.valkey.client().keys("workerkit:idempotency:*"))  # as if that had ended
    for runs in (2, 3):
        wait_for(lambda runs=runs: len(worker.trace("poison")) == runs, 30)
        for child in worker.children():
            child.kill()
        time.sleep(0.3)
        stage.valkey.client().delete("x", *stage.valkey.client().keys("workerkit:idempotency:*"))
    wait_for(lambda: client.dead_letters().count() == 1, 30)
    dead = client.dead_letters().show(sent.id)
    assert dead.letter.reason == "delivery limit"
    assert DELIVERIES_BEFORE.encode() not in dead.raw  # replayed, it begins anew


def test_a_global_rate_limit_holds(stage, worker, client, record_property):
    for n in range(20):
        client.send(LIMITED, name=f"limited-{n}")
    wait_for(lambda: all(worker.trace(f"limited-{n}") for n in range(20)), 60)
    starts = sorted(float(worker.trace(f"limited-{n}")[0]) for n in range(20))
    record_property("seconds for 20 starts at 5/s", round(starts[-1] - starts[0], 1))
    assert starts[-1] - starts[0] > 3.4  # 3.8 without the moment that a start may be late


def test_what_waited_too_long_is_a_dead_letter(stage, client):
    sent = client.send(HURRIED, name="late")
    time.sleep(1)
    worker = stage.start()
    with pytest.raises(TaskFailed, match="waited"):
        sent.result(60)
    wait_for(lambda: client.dead_letters().count() == 1)
    assert client.dead_letters().show(sent.id).letter.reason == "waited too long"
    assert worker.trace("late") == []


def test_a_policy_limits_a_queue_and_its_producer_is_told(stage, client):
    rule = {"pattern": "^demo$", "definition": {"max-length": 2, "overflow": "reject-publish"}, "apply-to": "queues"}
    stage.server.api("PUT", f"policies/{stage.url.rpartition('/')[2]}/limit", rule)

    def send_many():
        for n in range(20):  # RabbitMQ lets in a few more than it says
            client.send(HURRIED, name=f"{n}")

    with pytest.raises(QueueFull, match="Nothing was sent"):
        send_many()
    assert 2 <= stage.queues()["demo"] < 20


def drop_connections(stage):
    """End all connections of the virtual host, as a broken network would."""

    def names():
        found = stage.server.api("GET", "connections")
        return [each["name"] for each in found if each.get("vhost") == stage.url.rpartition("/")[2]]

    wait_for(lambda: len(names()) >= 2 * len(stage.workers))  # each has two; the list comes late
    for name in names():
        stage.server.api("DELETE", f"connections/{quote(name, safe='')}")
