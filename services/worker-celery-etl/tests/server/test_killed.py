"""A real worker that dies by SIGKILL in the middle of a load."""

from pathlib import Path

import pytest
from tests.server.files import as_zip

from devstack.waiting import wait_for
from devstack.worker import WorkerProcess
from taskclient.client import TaskClient

SERVICE = Path(__file__).parents[2]


@pytest.fixture
def load(valkey, postgres, database, put, storage, tmp_path, some_flights):
    """Sends the load and waits until it is in the middle; what a worker needs for it."""
    reference = put("flights.csv.zip", as_zip(some_flights)).model_dump(mode="json")

    class Load:
        def worker(self, **settings):
            own = {"DATABASE_URL": postgres.url, "STORAGE_URL": f"file://{tmp_path}/storage", "ETL_BATCH_ROWS": "5"}
            return WorkerProcess(valkey, SERVICE, "app.celery_app", folder=tmp_path, settings=own | settings)

        def send(self, client):
            return client.send("app.tasks.etl.process_data", reference=reference)

        def wait_for_the_middle(self):
            position = "SELECT count(*) FROM jobs WHERE position > 100"
            wait_for(lambda: database.execute(position).fetchone() == (1,), 60)

        def check(self, report):
            """Every row is there once, and the second run began where the first one was."""
            assert report["resumed_at"] > 100
            assert report["validated"] == 2000 - (report["resumed_at"] - 1)  # the first line is the header
            assert (report["read"], report["loaded"], report["rejected"]) == (2000, 2000, 0)
            assert database.execute("SELECT count(*) FROM flights").fetchone() == (2000,)
            assert database.execute("SELECT state FROM jobs").fetchall() == [("succeeded",)]

    return Load()


@pytest.fixture
def client(valkey):
    with TaskClient(valkey.url) as connected:
        yield connected


def test_when_the_pool_process_is_killed_the_next_one_goes_on(load, client):
    with load.worker() as worker:
        task = load.send(client)
        load.wait_for_the_middle()
        for child in worker.children():
            child.kill()
        report = task.result(timeout=90)
        load.check(report)
        assert load.send(client).result(timeout=30) == report  # it is not loaded again


def test_when_the_whole_worker_is_killed_another_one_goes_on(load, client):
    worker = load.worker()
    worker.start()
    worker.wait_ready()
    task = load.send(client)
    load.wait_for_the_middle()
    worker.kill()
    with load.worker():  # it takes the message over when the dead worker's lease is over
        load.check(task.result(timeout=90))
