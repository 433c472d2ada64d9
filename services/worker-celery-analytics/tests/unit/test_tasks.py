"""The contracts of the tasks, their queues, limits and schedule, and what imports Celery, without a server."""

import importlib
from pathlib import Path
from uuid import uuid4

import pytest
import structlog

from app.celery_app import app
from app.tasks import backtest, stats
from workerkit.database import configure
from workerkit.errors import InvalidPayload, TransientError
from workerkit.task import WorkerTask

SERVICE = Path(__file__).parents[2]
README = (SERVICE / "README.md").read_text()
TASKS = [task for module in (stats, backtest) for task in vars(module).values() if isinstance(task, WorkerTask)]


def test_the_worker_consumes_both_queues():
    assert [queue.name for queue in app.conf.task_queues] == ["stats", "backtest"]


def test_the_refresh_runs_every_night_at_two():
    [entry] = app.conf.beat_schedule.values()
    assert (entry["task"], entry["schedule"].hour, entry["schedule"].minute) == (stats.refresh_all_stats.name, {2}, {0})
    stats.refresh_all_stats.contract.arguments([], {})


def test_a_refresh_may_wait_for_another_one_and_still_has_time_to_work():
    task = stats.refresh_all_stats
    assert stats._WAIT_SECONDS + 300 <= task.soft_time_limit < task.time_limit < 3600


def test_names_and_parameters_are_the_agreed_ones():
    assert {task.name: task.contract.parameters for task in TASKS} == {
        "app.tasks.stats.refresh_all_stats": ("since", "until"),
        "app.tasks.backtest.run_backtest": ("job_id", "filter_id"),
        "app.tasks.backtest.cancel_backtest": ("job_id",),
        "app.tasks.backtest.create_filter": ("name", "rule", "late_minutes"),
    }


@pytest.mark.parametrize("wrong", [{"name": ""}, {"name": "x" * 101}, {"late_minutes": 0}, {"rule": {}}, {"rule": 1}])
def test_a_filter_that_does_not_fit_is_refused(wrong):
    payload = {"name": "windy", "rule": {"field": "dep_delay", "op": ">", "value": 30}}
    with pytest.raises(InvalidPayload) as refusal:
        backtest.create_filter(**payload | wrong)
    assert {error["field"].partition(".")[0] for error in refusal.value.errors} == set(wrong)


def test_a_payload_that_never_fitted_fails_no_job():
    error = InvalidPayload("job_id is missing", [])
    backtest.run_backtest.on_failure(error, "id", (), {}, None)


def test_a_failure_that_no_database_takes_is_still_only_one_failure():
    payload = {"job_id": str(uuid4()), "filter_id": str(uuid4())}
    configure("postgresql+psycopg://nobody@127.0.0.1:1/nothing", application_name="tests")
    with structlog.testing.capture_logs() as logged:
        backtest.run_backtest.on_failure(TransientError("away"), "id", (), payload, None)
    assert [line["job_id"] for line in logged] == [payload["job_id"]]


def test_the_readme_names_every_field_and_operator_of_a_rule():
    rules = importlib.import_module("app.rules")
    names = [*rules.FieldName.__args__, *rules.Operator.__args__]
    assert [name for name in names if f"`{name}`" not in README] == []
