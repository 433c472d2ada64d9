"""Beat and the workers' schedules in Redis."""

import json
from datetime import timedelta

import pytest

from devstack.waiting import wait_for
from taskclient.errors import UnknownSchedule

BEAT = ("beat",)


def schedule(**seconds):
    return {"DEMO_SCHEDULE": json.dumps(seconds)}


def test_a_worker_brings_its_schedule_and_takes_it_away(valkey, start_demo):
    with valkey.client() as redis:
        old = start_demo(valkey, **schedule(every_minute=60, every_hour=3600))
        assert redis.zcard("redbeat::schedule") == 2
        old.stop()
        start_demo(valkey, **schedule(every_hour=3600))
        assert redis.exists("redbeat:demo:every_minute") == 0
        assert redis.zrange("redbeat::schedule", 0, -1) == [b"redbeat:demo:every_hour"]


def test_a_reboot_keeps_when_an_entry_ran_and_whether_it_is_enabled(valkey, start_demo):
    with valkey.client() as redis:
        start_demo(valkey, **schedule(every_hour=3600)).stop()
        definition = json.loads(redis.hget("redbeat:demo:every_hour", "definition"))
        redis.hset("redbeat:demo:every_hour", "definition", json.dumps(definition | {"enabled": False}))
        meta = redis.hget("redbeat:demo:every_hour", "meta")
        due = redis.zscore("redbeat::schedule", "redbeat:demo:every_hour")
        start_demo(valkey, **schedule(every_hour=3600))
        assert json.loads(redis.hget("redbeat:demo:every_hour", "definition"))["enabled"] is False
        assert redis.hget("redbeat:demo:every_hour", "meta") == meta
        assert redis.zscore("redbeat::schedule", "redbeat:demo:every_hour") == pytest.approx(due, abs=30)


def test_beat_sends_what_a_worker_that_came_later_publishes(valkey, start_demo):
    start_demo(valkey, *BEAT)
    worker = start_demo(valkey, **schedule(tick=1))
    wait_for(lambda: len(worker.trace("tick")) >= 3)


def test_a_second_beat_doubles_nothing_and_takes_over(valkey, start_demo, tmp_path):
    worker = start_demo(valkey, **schedule(tick=1))
    first = start_demo(valkey, *BEAT)
    second = start_demo(valkey, *BEAT, HEALTH_FILE=str(tmp_path / "second.json"), wait=False)
    seen = len(worker.trace("tick"))
    assert wait_for(lambda: len(worker.trace("tick")) >= seen + 6) > 3  # one beat's pace, not two beats'
    assert "starting" in (tmp_path / "second.json").read_text()
    first.kill()
    seen = len(worker.trace("tick"))
    wait_for(lambda: len(worker.trace("tick")) >= seen + 3)
    assert second.alive()


def test_a_beat_that_has_lost_its_lock_takes_it_again(valkey, start_demo):
    worker = start_demo(valkey, **schedule(tick=1))
    beat = start_demo(valkey, *BEAT)
    wait_for(lambda: worker.trace("tick"))
    with valkey.client() as redis:
        assert redis.delete("redbeat::lock") == 1
    wait_for(lambda: "the lock is lost" in beat.log.read_text())
    seen = len(worker.trace("tick"))
    wait_for(lambda: len(worker.trace("tick")) >= seen + 3)
    wait_for(beat.is_ready)
    assert beat.alive()


def test_a_pause_outlasts_beat_and_the_worker(valkey, start_demo, client):
    worker, beat = start_demo(valkey, **schedule(tick=1, seldom=3600)), start_demo(valkey, *BEAT)
    wait_for(lambda: worker.trace("tick"))
    [seldom, tick] = client.schedules()
    assert (tick.name, tick.service, tick.task) == ("demo:tick", "demo", "app.tasks.demo.mark")
    assert (tick.when, tick.queue, tick.paused) == ("every 1 s", "demo", False)
    assert tick.next_run - tick.last_run < timedelta(seconds=30)
    assert (seldom.when, seldom.last_run) == ("every 1 h", None)
    assert client.schedules("nobody") == []

    assert client.pause_schedule("demo:tick")
    assert not client.pause_schedule("demo:tick")
    for process in (beat, worker):
        process.stop()
    worker, beat = start_demo(valkey, **schedule(tick=1, seldom=3600)), start_demo(valkey, *BEAT)
    [_, tick] = client.schedules()
    assert tick.paused
    assert tick.next_run is None
    seen = len(worker.trace("tick"))
    client.run_schedule("demo:tick").result(60)
    client.run_schedule("demo:seldom").result(60)
    assert worker.trace("seldom") == ["run"]
    assert len(worker.trace("tick")) == seen + 1  # this one, and none that beat has sent

    assert client.resume_schedule("demo:tick")
    wait_for(lambda: len(worker.trace("tick")) >= seen + 3)


def test_an_unknown_schedule_is_refused(valkey, start_demo, client):
    start_demo(valkey, **schedule(nightly=3600))
    for act in (client.pause_schedule, client.resume_schedule, client.run_schedule):
        with pytest.raises(UnknownSchedule, match="did you mean demo:nightly"):
            act("demo:nigthly")
