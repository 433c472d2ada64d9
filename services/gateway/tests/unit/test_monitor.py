"""One reading serves all who watch; one that fails changes nothing but what it says."""

import asyncio
import json

import pytest

from app.monitor import Monitor
from app.problems import TooManyViewers
from taskclient.errors import BrokerUnavailable

STATE = {"queue": "email", "depth": 3, "oldest_seconds": 1.0}


class Reader:
    """Counts how often it is asked; fails when told to."""

    def __init__(self):
        self.times = 0
        self.error = None

    def __call__(self):
        self.times += 1
        if self.error:
            raise self.error
        return {"queues": [STATE], "dead": [{"letters": self.times}]}


async def take(monitor, many):
    events = []
    async for raw in monitor.events():
        name, data = raw.decode().strip().split("\n")
        events.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
        if len(events) == many:
            break
    return events


def run(reader, *viewers, most=10):
    async def scenario():
        monitor = Monitor(reader, most)
        running = asyncio.create_task(monitor.run())
        try:
            return monitor, await asyncio.gather(*(viewer(monitor) for viewer in viewers))
        finally:
            running.cancel()

    return asyncio.run(scenario())


def test_all_who_watch_share_a_reading():
    reader = Reader()
    _, seen = run(reader, *[lambda monitor: take(monitor, 2)] * 20)
    assert [[name for name, _ in events] for events in seen] == [["history", "snapshot"]] * 20
    assert {events[1][1]["dead"][0]["letters"] for events in seen} == {1}
    assert reader.times == 1


def test_who_comes_late_sees_the_past():
    async def late(monitor):
        await take(monitor, 2)
        return await take(monitor, 1)

    _, [[(_, history)]] = run(Reader(), late)
    assert history["queues"] == {"email": {"depth": [3], "oldest_seconds": [1.0]}}


@pytest.mark.parametrize("error", [BrokerUnavailable("Redis is away."), RuntimeError("a bug")])
def test_a_reading_that_fails_keeps_the_last_numbers_and_says_so(error):
    reader = Reader()

    async def through(monitor):
        await take(monitor, 2)
        reader.error = error
        while not monitor.snapshot["problem"]:
            await asyncio.sleep(0.01)
        return monitor.snapshot

    _, [snapshot] = run(reader, through)
    assert snapshot["queues"] == [STATE]
    assert "a bug" not in snapshot["problem"]


def test_no_more_watch_than_may():
    async def one_more(monitor):
        events = monitor.events()
        await anext(events)
        with pytest.raises(TooManyViewers):
            monitor.check()
        await events.aclose()
        monitor.check()
        return monitor.viewers

    assert run(Reader(), one_more, most=1)[1] == [0]
