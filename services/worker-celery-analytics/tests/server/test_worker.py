"""The tasks through a real worker, as callers in other services see them."""

import json
from pathlib import Path
from uuid import uuid4

import pytest

from devstack.waiting import wait_for
from devstack.worker import WorkerProcess
from taskclient.client import TaskClient
from taskclient.errors import TaskFailed, TaskRejected

SERVICE = Path(__file__).parents[2]
RULE = {"all": [{"field": "dep_delay", "op": ">", "value": 30}, {"field": "wind_speed", "op": ">", "value": 20}]}
MONTHS = [f"2013-{month:02}" for month in range(1, 13)]


@pytest.fixture(scope="module")
def worker(module_valkey, loaded, tmp_path_factory):
    folder, settings = tmp_path_factory.mktemp("worker"), {"DATABASE_URL": loaded.url}
    with WorkerProcess(module_valkey, SERVICE, "app.celery_app", folder=folder, settings=settings) as process:
        yield process


@pytest.fixture
def client(worker, module_valkey, database):
    with TaskClient(module_valkey.url, check=False) as connected:
        yield connected


@pytest.fixture
def viewer(module_valkey):
    """Gives the progress that was published of a task."""
    with module_valkey.client(1) as redis, redis.pubsub() as channel:
        channel.psubscribe("progress:*")
        assert channel.get_message(timeout=5)["type"] == "psubscribe"

        def look(task_id):
            seen = []
            while message := channel.get_message(timeout=0.5):
                if message["channel"].decode() == f"progress:{task_id}":
                    seen.append(json.loads(message["data"]))
            return seen

        yield look


def months_of(progress, total=12):
    assert {seen["total"] for seen in progress} == {total}
    return [seen["message"] for seen in progress]


def test_a_backtest_from_its_filter_to_its_result_with_progress(client, viewer, query):
    filter_id = client.send("app.tasks.backtest.create_filter", name="windy", rule=RULE).result(60)
    job_id = str(uuid4())
    task = client.send("app.tasks.backtest.run_backtest", job_id=job_id, filter_id=filter_id)
    assert {"PROGRESS", "SUCCESS"} <= {*task.updates(30)}
    report = task.result()
    assert report.items() >= {"job_id": job_id, "filter_id": filter_id, "state": "succeeded"}.items()
    assert [month["month"][:7] for month in report["months"]] == MONTHS
    assert report["overall"].keys() == {"hits", "misses", "false_alarms", "precision", "recall"}
    seen = months_of(viewer(task.id))
    assert (seen[0], seen[-1], seen == sorted(seen)) == (MONTHS[0], MONTHS[-1], True)
    assert query("SELECT state, position FROM jobs") == [("succeeded", 12)]
    cancelled = client.send("app.tasks.backtest.cancel_backtest", job_id=job_id).result(60)
    assert cancelled == {"job_id": job_id, "state": "succeeded"}


def test_two_refreshes_at_once_run_one_after_the_other_and_show_progress(client, viewer, query):
    first = client.send("app.tasks.stats.refresh_all_stats", since="2013-01-01", until="2013-03-31")
    second = client.send("app.tasks.stats.refresh_all_stats", since="2013-02-03", until="2013-02-04")
    reports = [first.result(60), second.result(60)]
    assert [report["days"] for report in reports] == [90, 2]
    assert reports[0].items() >= {"last_day": "2013-03-31", "removed": 0}.items()
    assert query("SELECT count(*) FROM daily_statistics") == [(reports[0]["rows"],)]
    seen = months_of(viewer(first.id), total=3)
    assert (seen[0], seen[-1]) == (MONTHS[0], MONTHS[2])


def test_the_job_of_a_backtest_that_failed_says_why(client, query):
    job_id = uuid4()
    task = client.send("app.tasks.backtest.run_backtest", job_id=str(job_id), filter_id=str(uuid4()))
    with pytest.raises(TaskFailed, match="there is no filter"):
        task.result(60)
    wait_for(lambda: query("SELECT state FROM jobs WHERE id = %s", job_id) == [("failed",)])
    [(error,)] = query("SELECT error FROM jobs")
    assert "create_filter makes one" in error


def test_a_wrong_rule_is_refused_with_what_is_allowed(client, query):
    rule = {"any": [{"field": "arr_delay", "op": "like", "value": 1}]}
    with pytest.raises(TaskRejected) as refusal:
        client.send("app.tasks.backtest.create_filter", name="x", rule=rule).result(60)
    problems = {error["field"]: error["problem"] for error in refusal.value.errors}
    assert set(problems) == {"rule.any.any.0.field.field", "rule.any.any.0.field.op"}
    assert "'wind_speed'" in problems["rule.any.any.0.field.field"]
    assert query("SELECT count(*) FROM backtest_filters") == [(0,)]
