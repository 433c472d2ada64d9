"""Progress by server-sent events and WebSocket: many viewers, few subscriptions, nothing missed."""

import asyncio
import json

import pytest
from websockets.asyncio.client import connect

from app.authentication import KEY_SUBPROTOCOL, SUBPROTOCOL
from devstack.waiting import wait_for

WALK = "/tasks/app.tasks.clerk.walk"
VIEWERS = 200

pytestmark = pytest.mark.usefixtures("worker")


def send(client, **payload):
    return client.post(WALK, json=payload).json()["id"]


def socket(gateway, job_id, query=""):
    headers = {"X-API-Key": gateway.secrets["all"]}
    url = f"ws://127.0.0.1:{gateway.port}/jobs/{job_id}/events{query}"
    return connect(url, additional_headers=headers, open_timeout=60, close_timeout=1, compression=None)


async def watch(gateway, job_id, query=""):
    async with socket(gateway, job_id, query) as connection:
        return [json.loads(text) async for text in connection]


def events_of(client, job_id, **headers):
    with client.stream("GET", f"/jobs/{job_id}/events", headers=headers) as stream:
        if stream.status_code == 204:
            return []
        assert stream.headers["content-type"].startswith("text/event-stream")
        blocks = "".join(stream.iter_text()).strip().split("\n\n")
    fields = [dict(line.split(": ", 1) for line in block.split("\n")) for block in blocks]
    return [(field["id"], json.loads(field["data"])) for field in fields if "data" in field]


def test_events_lead_to_the_result(everyone):
    job_id = send(everyone, steps=30, seconds=0.02)
    events = events_of(everyone, job_id)
    states = [job["status"] for _, job in events]
    assert (states[-1], set(states[:-1]) <= {"PENDING", "PROGRESS"}, len(states) > 3) == ("SUCCESS", True, True)
    assert events[-1][1]["result"] == 30
    steps = [job["progress"]["current"] for _, job in events if job["progress"]]
    assert steps == sorted(steps)
    assert all(event == job["event"] for event, job in events)


def test_who_has_seen_the_end_is_told_to_come_back_no_more(everyone):
    job_id = send(everyone, steps=1)
    event, _ = events_of(everyone, job_id)[-1]
    assert everyone.get(f"/jobs/{job_id}/events", headers={"Last-Event-ID": event}).status_code == 204
    assert [job["result"] for _, job in events_of(everyone, job_id, **{"Last-Event-ID": "another"})] == [1]


def test_200_viewers_see_the_end_of_many_steps_by_one_subscription(gateway, everyone, module_valkey):
    async def run():
        job_id = send(everyone, steps=10_000, seconds=0.0005)
        viewers = asyncio.gather(*(watch(gateway, job_id) for _ in range(VIEWERS)))
        subscribed = set()
        with module_valkey.client(1) as redis:
            while not viewers.done():
                subscribed.update(count for _, count in redis.pubsub_numsub(f"celery-task-meta-{job_id}"))
                await asyncio.sleep(0.1)
        return subscribed, viewers.result()

    subscribed, seen = asyncio.run(run())
    assert max(subscribed) == 1
    assert [events[-1]["result"] for events in seen] == [10_000] * VIEWERS
    assert max(len(events) for events in seen) > 2


def test_a_viewer_that_comes_back_misses_nothing(gateway, everyone):
    async def run():
        job_id = send(everyone, steps=300, seconds=0.005)
        seen, after = [], ""
        while not seen or seen[-1]["status"] != "SUCCESS":
            async with socket(gateway, job_id, f"?after={after}") as connection:
                async for text in connection:
                    seen.append(json.loads(text))
                    after = seen[-1]["event"]
                    if len(seen) % 3 == 0:
                        break  # the connection is lost
        return seen, await watch(gateway, job_id, f"?after={after}")

    seen, later = asyncio.run(run())
    steps = [event["progress"]["current"] for event in seen if event["progress"]]
    assert steps == sorted(set(steps))
    assert (seen[-1]["result"], later) == (300, [])


def test_a_viewer_that_reads_nothing_holds_nobody_up(gateway, everyone):
    async def run():
        job_id = send(everyone, steps=2_000, seconds=0.0005)
        async with socket(gateway, job_id):
            return await watch(gateway, job_id)

    assert asyncio.run(run())[-1]["result"] == 2_000


def test_a_browser_gives_its_key_as_a_subprotocol(gateway, everyone):
    job_id = send(everyone, steps=1)

    async def run():
        protocols = [SUBPROTOCOL, f"{KEY_SUBPROTOCOL}{gateway.secrets['all']}"]
        url = f"ws://127.0.0.1:{gateway.port}/jobs/{job_id}/events"
        async with connect(url, subprotocols=protocols) as connection:
            return connection.subprotocol, [json.loads(text) async for text in connection]

    spoken, events = asyncio.run(run())
    assert (spoken, events[-1]["result"]) == (SUBPROTOCOL, 1)


def test_viewers_outlive_a_redis_that_drops_their_connection(gateway, everyone, module_valkey):
    async def run():
        job_id = send(everyone, steps=40, seconds=0.1)
        viewer = asyncio.create_task(watch(gateway, job_id))
        await asyncio.sleep(1)
        with module_valkey.client() as redis:
            redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        return await viewer

    events = asyncio.run(run())
    assert events[-1]["result"] == 40
    wait_for(lambda: everyone.get("/healthz").json()["redis"])
