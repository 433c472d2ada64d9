"""A real worker, whose pool process dies by SIGKILL in the middle of a load."""

from pathlib import Path

from tests.server.files import as_zip

from devstack.waiting import wait_for
from devstack.worker import WorkerProcess
from taskclient.client import TaskClient

SERVICE = Path(__file__).parents[2]


def test_a_killed_load_is_continued_by_the_next_process(
    valkey, postgres, database, put, storage, tmp_path, some_flights
):
    reference = put("flights.csv.zip", as_zip(some_flights))
    settings = {"DATABASE_URL": postgres.url, "STORAGE_URL": f"file://{tmp_path}/storage", "ETL_BATCH_ROWS": "5"}

    def position():
        found = database.execute("SELECT position FROM jobs").fetchone()
        return found[0] if found else 0

    with (
        WorkerProcess(valkey, SERVICE, "app.celery_app", folder=tmp_path, settings=settings) as worker,
        TaskClient(valkey.url) as client,
    ):
        task = client.send("app.tasks.etl.process_data", reference=reference.model_dump(mode="json"))
        wait_for(lambda: position() > 100, 60)
        for child in worker.children():
            child.kill()
        report = task.result(timeout=90)
        stored = client.send("app.tasks.etl.process_data", reference=reference.model_dump(mode="json"))
        assert stored.result(timeout=30) == report
    assert report["resumed_at"] > 100
    assert report["validated"] == 2000 - (report["resumed_at"] - 1)  # the first line is the header
    assert (report["read"], report["loaded"], report["rejected"]) == (2000, 2000, 0)
    assert database.execute("SELECT count(*) FROM flights").fetchone() == (2000,)
    assert database.execute("SELECT state FROM jobs").fetchall() == [("succeeded",)]
