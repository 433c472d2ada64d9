"""What happens to tasks on RabbitMQ when things break: real workers, a real server, real signals."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from kombu import Exchange, Queue

from devstack.process import NotReady
from devstack.waiting import wait_for
from taskclient.errors import TaskFailed, TaskRevoked

SLEEP, MARK, FAIL = "app.tasks.demo.sleep", "app.tasks.demo.mark", "app.tasks.demo.fail"
HOLD = "app.tasks.demo.hold"


def test_a_task_runs_and_its_result_is_read(worker, client):
    assert client.send("app.tasks.demo.place", order={"number": 1}, day="x").result(60) == {"number": 2, "tags": ["x"]}


def test_what_is_sent_before_any_worker_ran_is_kept_and_run(stage, client):
    sent = client.send(SLEEP, name="early", seconds=0)
    assert stage.queues() == {"demo": 1, "demo.dead": 0}
    stage.start()
    assert sent.result(60) == "early"


def test_a_killed_pool_process_costs_no_task(worker, client):
    sent = client.send(SLEEP, name="victim", seconds=1)
    wait_for(lambda: worker.trace("victim") == ["start"])
    for child in worker.children():
        child.kill()
    assert sent.result(60) == "victim"
    assert worker.trace("victim") == ["start", "start", "end"]


def test_a_killed_worker_costs_no_task_and_the_next_one_begins_at_once(stage, client, record_property):
    victim = stage.start()
    sent = client.send(HOLD, name="victim")
    wait_for(lambda: victim.trace("victim") == ["start"])
    other = stage.start()
    victim.kill()
    took = wait_for(lambda: other.trace("victim") == ["start", "start"])
    record_property("seconds until a killed worker's task runs again on RabbitMQ", round(took, 2))
    stage.end("victim")
    assert sent.result(60) == "victim"


def test_a_task_that_kills_its_process_runs_three_times_and_is_a_dead_letter(stage, client):
    worker = stage.start()
    poison = client.send(SLEEP, name="poison", seconds=60)
    for runs in range(1, 4):
        wait_for(lambda runs=runs: worker.trace("poison") == ["start"] * runs, 20)
        time.sleep(0.3)
        for child in worker.children():
            child.kill()
    wait_for(lambda: client.dead_letters("demo").count() == 1, 20)
    letter = client.dead_letters().show(poison.id).letter
    assert (letter.reason, letter.task, letter.list, letter.attempts) == ("delivery limit", SLEEP, "demo", 1)
    assert worker.trace("poison") == ["start"] * 3
    with pytest.raises(TaskFailed, match="delivered too often"):
        poison.result(60)
    assert client.send(SLEEP, name="next", seconds=0).result(60) == "next"
    assert stage.queues() == {"demo": 0, "demo.dead": 0}


def test_a_dead_letter_is_replayed_and_runs(stage, client):
    worker = stage.start()
    sent = client.send(FAIL, name="replayed", kind="permanent")
    with pytest.raises(TaskFailed):
        sent.result(60)
    wait_for(lambda: client.dead_letters().count() == 1)
    letter = client.dead_letters().replay(sent.id)
    assert (letter.reason, letter.error) == ("failed", "PermanentError: permanent failure")
    wait_for(lambda: worker.trace("replayed") == ["run", "run"])
    wait_for(lambda: client.dead_letters().count() == 1)
    assert client.dead_letters().show(sent.id).letter.attempts == 2
    assert client.dead_letters().discard(sent.id).id == sent.id


def test_a_countdown_survives_killed_workers_and_is_not_held_by_any(stage, client):
    first = stage.start()
    sent = client.send(SLEEP, name="later", seconds=0, countdown=7)
    began = time.monotonic()
    first.kill()
    second = stage.start()
    second.kill()
    stage.start()
    assert sent.result(60) == "later"
    assert time.monotonic() - began > 6
    assert first.trace("later") == ["start", "end"]


def test_a_start_that_plain_celery_wrote_into_the_queue_is_waited_for_in_the_broker(stage, raw_channel, client):
    worker = stage.start()
    with stage.celery(task_create_missing_queues=True) as plain:
        route = {"exchange": "", "routing_key": "demo"}
        message = plain.amqp.as_task_v2("plain", MARK, kwargs={"name": "plain"}, countdown=6)
        headers, properties, body, _ = message
        producer = plain.amqp.Producer(raw_channel, auto_declare=False)
        producer.publish(body, headers=headers, serializer="json", **route, **properties)
    wait_for(lambda: stage.queues() == {"demo": 0, "demo.dead": 0})
    for _ in range(4):  # nothing blocks the two slots meanwhile
        assert client.send(SLEEP, name="meanwhile", seconds=0).result(60) == "meanwhile"
    assert worker.trace("plain") == []
    wait_for(lambda: worker.trace("plain") == ["run"], 20)


def test_plain_celery_sends_without_declaring(stage, worker):
    with stage.celery() as plain:
        plain.conf.task_queues = [Queue("demo", Exchange(""), "demo", no_declare=True)]
        plain.send_task(MARK, kwargs={"name": "plain"}, queue="demo", ignore_result=True)
    wait_for(lambda: worker.trace("plain") == ["run"])


def test_what_expires_in_the_queue_is_revoked(stage, client):
    sent = client.send(MARK, name="late", expires=1)
    wait_for(lambda: stage.queues() == {"demo": 0, "demo.dead": 1})
    worker = stage.start()
    with pytest.raises(TaskRevoked, match="expired"):
        sent.result(60)
    wait_for(lambda: stage.queues() == {"demo": 0, "demo.dead": 0})
    assert (client.dead_letters().count(), worker.trace("late")) == (0, [])


def test_what_a_worker_rejects_is_a_dead_letter(stage, client, raw_channel):
    sent = client.send(MARK, name="rejected")
    rejected = wait_for_message(raw_channel)
    raw_channel.basic_reject(rejected.delivery_tag, requeue=False)
    worker = stage.start()
    wait_for(lambda: client.dead_letters().count() == 1, 20)
    assert client.dead_letters().show(sent.id).letter.reason == "failed"
    client.dead_letters().replay(sent.id)
    wait_for(lambda: worker.trace("rejected") == ["run"])


def test_a_queue_that_somebody_declared_differently_is_named(stage, raw_channel):
    raw_channel.queue_declare("demo", durable=True, auto_delete=False)
    with pytest.raises(NotReady, match="rabbitmqctl delete_queue demo"):
        stage.start()


def test_retries_go_on_on_another_worker(stage, client):
    first = stage.start()
    client.send(FAIL, name="again", kind="transient")
    wait_for(lambda: len(first.trace("again")) >= 2, 20)
    first.kill()
    before = len(first.trace("again"))
    stage.start()
    wait_for(lambda: len(first.trace("again")) > before, 40)


def test_a_bug_is_retried_and_then_a_dead_letter(worker, client):
    with pytest.raises(TaskFailed, match="bug failure"):
        client.send(FAIL, name="bug", kind="bug").result(60)
    assert worker.trace("bug") == ["run"] * 4
    wait_for(lambda: client.dead_letters().count() == 1)
    (letter,) = client.dead_letters().list().letters
    assert (letter.reason, letter.retries) == ("failed", 3)
    assert "ZeroDivisionError" in (letter.traceback or "")


def test_a_chain_and_a_chord_end_although_the_worker_is_killed(stage):
    victim = stage.start()
    results = stage.valkey.url.replace("/0", "/1")
    subprocess.run([sys.executable, Path(__file__).parent / "send_flow.py", stage.url, results], check=True, timeout=60)
    wait_for(lambda: victim.trace("two") == victim.trace("three") == ["start"], 20)
    stage.start()
    victim.kill()
    for name in ("two", "three"):
        stage.end(name)
    wait_for(lambda: victim.trace("last") == ["run"], 40)
    assert victim.trace("body") == ["run"]


def test_a_restarted_broker_runs_nothing_again_that_runs(stage, client):
    worker = stage.start()
    long = client.send(HOLD, name="long")
    short = client.send(HOLD, name="short")
    wait_for(lambda: worker.trace("long") == worker.trace("short") == ["start"])
    later = client.send(SLEEP, name="later", seconds=0, countdown=2)
    stage.server.kill()
    wait_for(lambda: not worker.is_ready(), 30)
    stage.end("short")
    wait_for(lambda: worker.trace("short") == ["start", "end"])
    stage.server.start()
    wait_for(worker.is_ready, 40)
    assert client.send(SLEEP, name="next", seconds=0).result(60) == "next"
    assert later.result(60) == "later"
    stage.end("long")
    assert (long.result(60), short.result(5)) == ("long", "short")
    wait_for(lambda: stage.queues() == {"demo": 0, "demo.dead": 0})
    time.sleep(2)
    assert worker.trace("long") == worker.trace("short") == ["start", "end"]
    assert worker.alive()


def test_sigterm_lets_a_short_task_finish(worker, client):
    sent = client.send(SLEEP, name="short", seconds=2)
    wait_for(lambda: worker.trace("short") == ["start"])
    worker.terminate()
    assert wait_for(lambda: not worker.alive()) < 10
    assert (worker.exit_code(), sent.result(1)) == (0, "short")


def test_sigterm_puts_back_what_does_not_finish(stage, client):
    worker = stage.start(TASK_DRAIN_SECONDS="2")
    names = ["long-1", "long-2", *(f"queued-{n}" for n in range(20))]
    for name in names:
        client.send(HOLD, name=name)
    wait_for(lambda: worker.trace("long-1") == worker.trace("long-2") == ["start"])
    worker.terminate()
    wait_for(lambda: not worker.alive())
    wait_for(lambda: stage.queues() == {"demo": len(names), "demo.dead": 0})


def wait_for_message(channel):
    found = []
    wait_for(lambda: bool(found.append(channel.basic_get("demo")) or found[-1]))
    return found[-1]
