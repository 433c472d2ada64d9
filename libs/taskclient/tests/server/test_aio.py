"""The asyncio client with a stock worker: hundreds of calls at once, and servers that go away."""

import asyncio
import json

import pytest

from taskclient.aio import AsyncTaskClient
from taskclient.canvas import group, step
from taskclient.catalog import CatalogEntry, publish_catalog
from taskclient.errors import (
    BatchInterrupted,
    BatchRefused,
    BrokerUnavailable,
    PayloadRefused,
    QueueFull,
    TaskFailed,
    TaskTimeout,
    UnknownTask,
    WorkflowRefused,
)

ADD = "app.tasks.demo.add"
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": False}
KNOWN = CatalogEntry(
    name="app.tasks.aio.add", queue="aio", service="aio", description="", parameters=SCHEMA, result={"type": "string"}
)


def with_client(server, use, **options):
    """Run a coroutine with a client."""

    async def run():
        async with AsyncTaskClient(server.url, **options) as client:
            return await use(client)

    return asyncio.run(run())


@pytest.mark.usefixtures("worker")
def test_500_calls_at_once_share_one_listening_connection(valkey, broker):
    listening = []

    async def use(client):
        calls = [asyncio.create_task(client.submit_and_wait(ADD, 60, a=number, b=1)) for number in range(500)]
        await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        listening.append(len(broker.client_list()))
        return await asyncio.gather(*calls)

    before, heard = len(broker.client_list()), broker.pubsub_channels("celery-task-meta-*")
    assert with_client(valkey, use) == [number + 1 for number in range(500)]
    assert listening[0] - before <= 65  # two databases, 32 connections each at most, and the one that listens
    assert set(broker.pubsub_channels("celery-task-meta-*")) <= set(heard)


@pytest.mark.usefixtures("worker")
def test_how_a_task_ends(valkey):
    async def use(client):
        task = await client.send(ADD, a=2, b=3, task_id="aio-1")
        assert await task.result(60) == 5
        assert await client.handle("aio-1").status() == "SUCCESS"
        assert (await client.handle("aio-1").wait(0)).id == "aio-1"
        with pytest.raises(TaskFailed, match="no such thing, 7"):
            await client.submit_and_wait("app.tasks.demo.fail", 20, text="no such thing")
        slow = await client.send("app.tasks.demo.sleep", seconds=0.5)
        with pytest.raises(TaskTimeout, match=slow.id):
            await slow.result(0)
        return [status async for status in slow.updates(60)]

    words = with_client(valkey, use)
    assert words[-1] == "SUCCESS"
    assert set(words[:-1]) <= {"PENDING", "STARTED"}


@pytest.mark.usefixtures("worker")
def test_chains_and_chords(valkey):
    async def use(client):
        one, more = step(ADD, a=1, b=1), step(ADD, b=10)
        chained = await client.chain(one, more)
        grouped = await client.group([one, [one, more]])
        joined = await client.chord([one, one], step(ADD, b=[0]))
        whole = await client.chain(one, group([more, more]), step(ADD, b=[0]))
        results = [await handle.result(60) for handle in (chained, grouped, joined, whole)]
        assert all(record.finished for record in (await client.records(whole.run)).values())
        return results

    assert with_client(valkey, use) == [12, [2, 12], [2, 2, 0], [12, 12, 0]]


def test_the_same_checks_as_the_other_client(own_valkey):
    with own_valkey.client() as broker:
        publish_catalog(broker, "aio", [KNOWN])

        async def use(client):
            assert [one.name for one in await client.catalog()] == [KNOWN.name]
            with pytest.raises(UnknownTask, match=r"did you mean app\.tasks\.aio\.add"):
                await client.send("app.tasks.aio.ad")
            with pytest.raises(PayloadRefused) as refused:
                await client.send(KNOWN.name, a="x", b=1)
            assert {wrong["field"] for wrong in refused.value.errors} == {"a", "b"}
            with pytest.raises(BatchRefused, match="Number 1: a: is not of type"):
                await client.send_many(KNOWN.name, [{"a": 1}, {"a": "x"}])
            with pytest.raises(WorkflowRefused, match="a: string is not accepted"):
                await client.chain(step(KNOWN.name, a=1), step(KNOWN.name))
            sent = await client.send_many(KNOWN.name, [{"a": number} for number in range(1_200)])
            assert [task.id for task in sent] == [
                json.loads(raw)["headers"]["id"] for raw in reversed(broker.lrange("aio", 0, -1))
            ]

        with_client(own_valkey, use)
        with pytest.raises(QueueFull, match="its limit is 1,200"):
            with_client(own_valkey, lambda client: client.send(KNOWN.name, a=1), max_backlog=1_200)
        with pytest.raises(BatchInterrupted) as interrupted:
            with_client(own_valkey, lambda client: client.send_many(KNOWN.name, [{}] * 800), max_backlog=1_700)
        assert (len(interrupted.value.sent), len(interrupted.value.unsent)) == (500, 300)


def test_waits_go_on_over_a_restart_of_the_server(own_valkey):
    async def use(client):
        waiting = [asyncio.create_task(client.handle(f"late-{number}").result(60)) for number in range(20)]
        with own_valkey.client() as broker:
            while len(broker.pubsub_channels("celery-task-meta-late-*")) < 20:
                await asyncio.sleep(0.05)
        await asyncio.to_thread(own_valkey.kill)
        await asyncio.to_thread(own_valkey.start)
        await asyncio.to_thread(own_valkey.wait_ready)
        with own_valkey.client(1) as results:
            record = {"status": "SUCCESS", "result": 7, "traceback": None, "children": []}
            for number in range(20):
                results.set(f"celery-task-meta-late-{number}", json.dumps(record))
        return await asyncio.gather(*waiting)

    assert with_client(own_valkey, use) == [7] * 20


def test_who_still_waits_when_the_client_is_closed_opens_nothing_again(valkey, broker):
    async def run():
        client = AsyncTaskClient(valkey.url)
        waiting = asyncio.create_task(client.handle("left behind").result(1))
        while not broker.pubsub_channels("celery-task-meta-left behind"):
            await asyncio.sleep(0.02)
        await client.close()
        with pytest.raises(TaskTimeout):
            await waiting
        await client.close()

    asyncio.run(run())
    assert not broker.pubsub_channels("celery-task-meta-left behind")


def test_a_server_that_is_away_and_urls_that_cannot_be():
    nowhere = type("Nowhere", (), {"url": "redis://:s3cret@127.0.0.1:1/0"})
    for use in (
        lambda client: client.send("app.tasks.demo.add"),
        lambda client: client.handle("x").result(5),
        lambda client: client.catalog(),
    ):
        with pytest.raises(BrokerUnavailable, match="Check that it runs") as away:
            with_client(nowhere, use)
        assert "s3cret" not in str(away.value)
    with pytest.raises(ValueError, match="Redis only"):
        AsyncTaskClient("amqp://localhost")
    with pytest.raises(ValueError, match="not a Redis URL"):
        AsyncTaskClient("http://localhost/0")


def test_a_call_that_is_cancelled_leaves_a_connection_that_others_can_use(valkey, broker):
    async def use(client):
        for _ in range(20):
            call = asyncio.create_task(client.send("app.tasks.cancelled.add", a=1))
            await asyncio.sleep(0)
            call.cancel()
            await asyncio.wait([call])
        assert (await client.handle("nobody").record()).status == "PENDING"
        await client.send("app.tasks.cancelled.add", task_id="last")

    with_client(valkey, use)
    assert json.loads(broker.lindex("cancelled", 0))["headers"]["id"] == "last"
    broker.delete("cancelled")
