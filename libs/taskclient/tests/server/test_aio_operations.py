"""Operators' calls from asyncio, with a real worker: each does what its twin of `TaskClient` does, beside others."""

import asyncio
import json
import threading

import pytest

from devstack.services import ROOT
from devstack.waiting import wait_for
from devstack.worker import WorkerProcess
from taskclient.aio import AsyncTaskClient
from taskclient.catalog import CatalogEntry, publish_catalog
from taskclient.client import TaskClient
from taskclient.dead_scan import LetterFilter
from taskclient.errors import BrokerUnavailable, LetterNotFound, TaskFailed, UnknownQueue, UnknownSchedule
from taskclient.message import build_message

FAIL, MARK, SLEEP, NEW = (f"app.tasks.demo.{name}" for name in ("fail", "mark", "sleep", "new"))


@pytest.fixture(scope="module")
def worker(module_valkey, tmp_path_factory):
    """A worker of the queue `demo` with an entry for beat."""
    source, folder = ROOT / "libs/workerkit/tests/server/demo", tmp_path_factory.mktemp("worker")
    settings = {"DEMO_SCHEDULE": json.dumps({"hourly": 3600})}
    with (
        WorkerProcess(module_valkey, source, "demo_app", folder=folder, settings=settings) as process,
        TaskClient(module_valkey.url) as client,
    ):
        wait_for(lambda: client.workers("demo") and client.queues("demo") and client.schedules("demo"))
        yield process


@pytest.fixture
def broker(module_valkey):
    with module_valkey.client() as broker:
        yield broker


@pytest.fixture
def use(module_valkey, worker):
    """Runs a coroutine with a client of the worker's server; afterwards the queue is as at first."""
    assert worker.alive()

    def run(coroutine, **options):
        async def with_client():
            async with AsyncTaskClient(module_valkey.url, **options) as client:
                return await coroutine(client)

        return asyncio.run(with_client())

    yield run
    with TaskClient(module_valkey.url) as client:
        client.resume("demo")
        list(client.dead_letters().discard_all())


async def until(look):
    """Look again and again until it is true."""
    async with asyncio.timeout(30):
        while not await look():
            await asyncio.sleep(0.05)


def test_workers_queues_and_their_pause(use, worker):
    async def operate(client):
        [one] = await client.workers("demo")
        assert one.lease_seconds > 0
        assert await client.workers("nobody") == []
        assert await client.plain_consumers() == []
        assert [await client.pause("demo"), await client.pause("demo")] == [True, False]
        [state] = await client.queues()
        assert (state.queue, state.paused) == ("demo", True)
        task = await client.send(MARK, name="paused")
        with pytest.raises(UnknownQueue, match="did you mean demo"):
            await client.pause("dmo")
        assert worker.trace("paused") == []
        assert [await client.resume("demo"), await client.resume("demo")] == [True, False]
        await task.wait(30)

    use(operate)
    assert worker.trace("paused") == ["run"]


def test_schedules(use, worker):
    async def operate(client):
        [entry] = await client.schedules("demo")
        assert (entry.name, entry.task, entry.paused) == ("demo:hourly", MARK, False)
        assert [await client.pause_schedule(entry.name), await client.pause_schedule(entry.name)] == [True, False]
        assert (await client.schedules())[0].paused
        assert await client.resume_schedule(entry.name)
        with pytest.raises(UnknownSchedule):
            await client.run_schedule("demo:daily")
        task = await client.run_schedule(entry.name)
        assert await task.result(60) is None
        return task.name

    assert use(operate) == MARK
    assert worker.trace("hourly") == ["run"]


def test_cancel_and_watch(use, worker):
    async def operate(client):
        task = await client.send(SLEEP, name="cancelled", seconds=60)
        await asyncio.to_thread(wait_for, lambda: worker.trace("cancelled") == ["start"])
        assert await client.cancel(task.id) == "running"
        seen = [event async for event in client.watch(task.id, 30)]
        assert (seen[-1].status, seen[-1].finished, seen[-1].id) == ("REVOKED", True, task.id)
        assert not any(event.finished for event in seen[:-1])
        await client.pause("demo")
        assert await client.cancel((await client.send(MARK, name="never")).id) == "waiting"

    use(operate)


def test_what_a_service_leaves(use, broker, worker):
    entry = CatalogEntry(
        name="app.tasks.gone.x", queue="gone", service="gone", description="", parameters={}, result={}
    )
    publish_catalog(broker, "gone", [entry])
    left = json.loads(build_message(MARK, {"name": "adopted"}, queue="demo", task_id="adopted"))
    broker.hset("unacked", "tag", json.dumps([left, "", "demo"]))
    broker.zadd("unacked_index", {"tag": 1.0})

    async def operate(client):
        with pytest.raises(ValueError, match="1 workers"):
            await client.forget("demo")
        assert await client.forget("gone") == [entry.name]
        assert (await client.can_deploy("demo", await client.catalog(), most=5)).safe
        assert (await client.adopt_unacked(dry_run=True)).moved == {"demo": 1}
        assert (await client.adopt_unacked(["demo"])).moved == {"demo": 1}
        await client.handle("adopted").wait(30)

    use(operate)
    assert worker.trace("adopted") == ["run"]


def test_dead_letters(use, broker):
    async def operate(client):
        dead = client.dead_letters("demo")
        sent = await client.send_many(FAIL, [{"name": f"dead-{number}", "kind": "permanent"} for number in range(5)])
        ids = {task.id for task in sent}
        await until(lambda: counted(dead, 5))
        assert await dead.services() == ("demo",)
        assert [stats.letters for stats in await dead.get_dlq_stats()] == [5]
        first = await dead.list(LetterFilter(task=FAIL), limit=3)
        second = await dead.list(limit=3, after=first.next)
        assert {letter.id for letter in (*first.letters, *second.letters)} == ids
        one = (await dead.show(sent[0].id)).letter
        assert (one.task, one.reason) == (FAIL, "failed")
        assert FAIL in await dead.write_test(one.id)
        assert (await dead.replay(one.id, to="tray")).id == one.id
        with pytest.raises(LetterNotFound):
            await dead.show(one.id)
        assert await sent[0].status() == "PENDING"
        assert (await dead.discard(sent[1].id)).id == sent[1].id
        replayed = [letter.id async for letter in dead.replay_all(per_second=50, to="tray")]
        assert sorted(replayed) == sorted(ids - {sent[0].id, sent[1].id})
        with pytest.raises(ValueError, match="above 0"):
            await anext(dead.replay_all(per_second=0))
        assert [letter async for letter in dead.discard_all()] == []

    use(operate)
    assert broker.llen("tray") == 4
    broker.delete("tray")


async def counted(dead, number):
    return await dead.count() == number


def test_who_stops_a_mass_replay_leaves_the_rest(use, broker):
    async def operate(client):
        dead = client.dead_letters()
        await client.send_many(FAIL, [{"name": "stopped", "kind": "permanent"}] * 6)
        await until(lambda: counted(dead, 6))
        async for _ in dead.replay_all(to="tray"):
            break
        assert await dead.count() == 5
        replaying = asyncio.create_task(anext(slow := dead.replay_all(per_second=0.01, to="tray")))
        await replaying
        waiting = asyncio.create_task(anext(slow))
        await asyncio.sleep(0.2)
        waiting.cancel()  # a minute and a half too early
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await dead.count() == 4
        assert len([letter async for letter in dead.discard_all()]) == 4

    use(operate)
    assert broker.llen("tray") == 2
    broker.delete("tray")


def test_parked_messages(use):
    async def operate(client):
        dead = client.dead_letters()
        await client.send(NEW, task_id="parked")
        await until(lambda: parked(dead, 1))
        [message] = [one async for one in dead.parked(NEW)]
        assert (message.service, message.task, message.list) == ("demo", NEW, "demo")
        assert await client.pause("demo")
        assert await dead.offer(NEW) == 1
        assert await parked(dead, 0)
        await client.resume("demo")
        await until(lambda: parked(dead, 1))
        assert [await dead.discard_parked(NEW), await dead.discard_parked(NEW)] == [1, 0]

    use(operate, check=False)


async def parked(dead, number):
    return sum([1 async for _ in dead.parked(NEW)]) == number


def test_a_replayed_task_is_pending_until_its_worker_runs_it_again(use):
    async def operate(client):
        task = await client.send(FAIL, name="again", kind="permanent")
        await until(lambda: counted(client.dead_letters(), 1))
        with pytest.raises(TaskFailed, match="permanent failure"):
            await task.result(60)
        await client.pause("demo")
        await client.dead_letters().replay(task.id)
        assert await task.status() == "PENDING"
        waiting = asyncio.create_task(task.result(60))
        await client.resume("demo")
        with pytest.raises(TaskFailed, match="permanent failure"):
            await waiting
        await until(lambda: counted(client.dead_letters(), 1))
        assert (await client.dead_letters().show(task.id)).letter.attempts == 2

    use(operate)


def test_a_caller_that_does_not_wait_for_a_silent_server_leaves_a_client_that_works(use, broker):
    async def operate(client):
        [before] = await client.workers()
        await asyncio.to_thread(broker.client_pause, 1500)
        asked = asyncio.create_task(client.workers())
        ticks = 0
        while ticks < 20:  # the event loop goes on
            await asyncio.sleep(0.01)
            ticks += 1
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert [one.id for one in await client.workers()] == [before.id]

    use(operate)


def test_many_at_once(use):
    async def operate(client):
        calls = [client.queues("demo") for _ in range(100)] + [client.dead_letters().count() for _ in range(100)]
        found = await asyncio.gather(*calls)
        assert [one.queue for [one] in found[:100]] == ["demo"] * 100
        assert found[100:] == [0] * 100

    use(operate)


def test_who_only_sends_takes_no_thread(use):
    async def operate(client):
        await client.submit_and_wait(MARK, 30, name="light")
        assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("asyncio_")]

    use(operate)


def test_a_server_that_is_away():
    async def ask():
        async with AsyncTaskClient("redis://:s3cret@127.0.0.1:1/0") as client:
            dead = client.dead_letters()
            with pytest.raises(BrokerUnavailable, match="Check that it runs"):
                await client.workers()
            with pytest.raises(BrokerUnavailable, match="Check that it runs"):
                await anext(dead.replay_all())
            with pytest.raises(BrokerUnavailable, match="Check that it runs"):
                await anext(client.watch("x", 5))

    asyncio.run(ask())
