"""The tasks in a real worker, on a real Valkey, against real providers."""

import itertools
import json

import pytest

from devstack.services import ROOT
from devstack.waiting import wait_for
from devstack.worker import WorkerProcess
from taskclient.client import TaskClient
from taskclient.errors import TaskFailed

SERVICE = ROOT / "services" / "worker-celery-ingestion"
FILE, RECORD = "app.tasks.ingestion.fetch_data", "app.tasks.ingestion.fetch_external_data"


@pytest.fixture
def start(valkey, sample_data, nasty, tmp_path, run_worker):
    numbers = itertools.count()

    def start_worker(**settings):
        folder = tmp_path / f"worker{next(numbers)}"
        folder.mkdir()
        sources = ("versioned", "once_broken", "once_busy/2", "status/500", "status/404")
        settings = {
            "STORAGE_URL": (tmp_path / "storage").as_uri(),
            "SOURCES": json.dumps(
                {
                    "planes": f"{sample_data}/files/planes.csv",
                    **{way.replace("/", "-"): nasty.url(way) for way in sources},
                }
            ),
            "APIS": json.dumps(
                {"airports": f"{sample_data}/api/airports/{{record}}", "nasty": nasty.url("airport/{record}")}
            ),
            **settings,
        }
        return run_worker(WorkerProcess(valkey, SERVICE, "app.celery_app", folder=folder, settings=settings))

    return start_worker


@pytest.fixture
def client(valkey):
    with TaskClient(valkey.url) as connected:
        yield connected


def test_files_and_records(start, client, nasty, tmp_path):
    start()
    first = client.send(FILE, source="planes").result(60)
    assert first["unchanged"] is False
    assert (tmp_path / "storage" / first["path"]).stat().st_size == first["size"] == 247_198
    assert client.send(FILE, source="planes").result(60) == {**first, "unchanged": True}
    assert client.send(FILE, source="once_broken").result(60)["size"] == 8
    assert client.send(FILE, source="once_busy-2").result(60)["size"] == 4
    assert client.send(RECORD, api="airports", record="JFK").result(60)["name"] == "John F Kennedy Intl"
    for task, payload, problem in [
        (FILE, {"source": "status-404"}, "answered 404"),
        (FILE, {"source": "unknown"}, "which names once_broken, once_busy-2, planes, status-404"),
        (RECORD, {"api": "airports", "record": "XXX"}, "answered 404"),
        (RECORD, {"api": "airports", "record": "../../healthz"}, "no '.' or '..'"),
    ]:
        with pytest.raises(TaskFailed, match=problem):
            client.send(task, **payload).result(60)


def test_a_provider_that_fails_is_left_alone(start, client, nasty):
    start()
    handles = [client.send(FILE, source="status-500") for _ in range(8)]
    wait_for(lambda: len(nasty.asked) >= 5)
    with pytest.raises(TimeoutError):  # the fifth opens the circuit; the sixth may have been on its way by then
        wait_for(lambda: len(nasty.asked) > 6, seconds=4)
    assert {handle.status() for handle in handles} <= {"RETRY", "PENDING"}


def test_two_workers_keep_to_one_rate(start, client, nasty):
    for _ in range(2):
        start(FETCH_RATE_PER_SECOND="4")
    handles = [client.send(RECORD, api="nasty", record=str(number)) for number in range(20)]
    assert [handle.result(60)["faa"] for handle in handles] == [str(number) for number in range(20)]
    between = [later - earlier for earlier, later in itertools.pairwise(sorted(nasty.arrivals))]
    # Early by as much as the first of a pair may be late; late by as much as a message's delay is.
    assert sum(between) > 19 * 0.25 - 0.3
    assert len(nasty.arrivals) == 20
