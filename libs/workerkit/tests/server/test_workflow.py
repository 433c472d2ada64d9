"""Workflows through two workers that know only the names of each other's tasks, on a real Valkey."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from devstack.waiting import wait_for
from devstack.worker import WorkerProcess
from taskclient.client import TaskClient
from taskclient.errors import TaskFailed
from taskclient.workflow import WorkflowRun

STEPS = Path(__file__).parent / "steps"
FIELDS = ["north", "east", "south"]


@pytest.fixture(scope="module")
def workers(module_valkey, tmp_path_factory):
    folder = tmp_path_factory.mktemp("farm")
    mills = tmp_path_factory.mktemp("mill")
    with (
        WorkerProcess(module_valkey, STEPS, "farm_app", folder=folder) as farm,
        WorkerProcess(module_valkey, STEPS, "mill_app", folder=mills, settings={"TRACES": str(farm.traces)}),
    ):
        yield farm


@pytest.fixture
def farm(workers):
    for file in workers.traces.iterdir():
        file.unlink()
    return workers


@pytest.fixture(scope="module")
def client(module_valkey):
    with TaskClient(module_valkey.url) as connected:
        yield connected


def start(client, name="make_bread", **payload):
    return WorkflowRun.from_result(client.send(f"app.tasks.farm.{name}", **payload).result(20))


def end_of(client, run):
    """The final state of each step."""
    wait_for(lambda: run.finished(client.records(run)), seconds=20)
    records = client.records(run)
    return {step.key: records[step.id].status for step in run.steps}


def result_of(client, run, key):
    return client.handle(next(step.id for step in run.steps if step.key == key)).result()


def test_each_step_gets_its_payload_and_the_result_it_takes(farm, client):
    run = start(client, fields=FIELDS)
    assert set(end_of(client, run).values()) == {"SUCCESS"}
    assert result_of(client, run, "grind east") == "flour from east"
    assert result_of(client, run, "sell") == 6
    assert result_of(client, run, "tell") == "6 earned"
    assert sorted(farm.trace("grind")) == sorted(FIELDS)
    assert farm.trace("bake") == ["2"]
    assert farm.trace("failed") == []


def test_a_failed_branch_is_named_and_only_what_is_missing_runs_again(farm, client):
    (farm.traces / "broken east").touch()
    run = start(client, fields=FIELDS)
    states = end_of(client, run)
    assert [step.key for step in run.failed(client.records(run))] == ["grind east"]
    assert states["harvest east"] == states["grind north"] == "SUCCESS"
    assert farm.trace("bake") == []
    wait_for(lambda: farm.trace("failed"))
    assert set(farm.trace("failed")) == {"grind east: PermanentError: stones in the grain from east"}

    (farm.traces / "broken east").unlink()
    again = start(client, "go_on", run_id=run.run_id)
    assert again.parameters == {"fields": FIELDS}
    assert set(end_of(client, again).values()) == {"SUCCESS"}
    assert result_of(client, again, "tell") == "6 earned"
    assert result_of(client, again, "grind north") == "flour from north"
    assert sorted(farm.trace("harvest")) == sorted(FIELDS)
    assert sorted(farm.trace("grind")) == sorted([*FIELDS, "east"])


def test_two_failed_branches_are_both_named(farm, client):
    for field in ("north", "south"):
        (farm.traces / f"broken {field}").touch()
    run = start(client, fields=FIELDS)
    end_of(client, run)
    assert {step.key for step in run.failed(client.records(run))} == {"grind north", "grind south"}
    for field in ("north", "south"):
        (farm.traces / f"broken {field}").unlink()
    again = start(client, "go_on", run_id=run.run_id)
    assert set(end_of(client, again).values()) == {"SUCCESS"}


def test_a_failed_step_after_the_branches_is_named_and_its_followers_get_its_result_later(farm, client):
    (farm.traces / "cold").touch()
    run = start(client, fields=FIELDS)
    end_of(client, run)
    assert [step.key for step in run.failed(client.records(run))] == ["bake"]
    (farm.traces / "cold").unlink()
    again = start(client, "go_on", run_id=run.run_id)
    assert set(end_of(client, again).values()) == {"SUCCESS"}
    assert sorted(farm.trace("grind")) == sorted(FIELDS)
    assert farm.trace("sell") == ["2"]


def test_a_run_without_a_failed_step_is_not_resumed(farm, client):
    run = start(client, fields=["north"])
    assert set(end_of(client, run).values()) == {"SUCCESS"}
    with pytest.raises(TaskFailed, match="nothing to resume"):
        start(client, "go_on", run_id=run.run_id)
    with pytest.raises(TaskFailed, match="there is no run unknown"):
        start(client, "go_on", run_id="unknown")


def test_the_tasks_command_shows_every_step_and_how_to_go_on(farm, module_valkey):
    def tasks_run(*words):
        environment = {**os.environ, "TASK_BROKER_URL": module_valkey.url, "COLUMNS": "200"}
        command = [Path(sys.executable).with_name("tasks"), "run", *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)

    (farm.traces / "broken south").touch()
    failed = tasks_run("make_bread", f"fields={json.dumps(FIELDS)}")
    assert failed.returncode == 1
    assert "bread failed at grind south" in failed.stderr
    run_id = failed.stdout.strip()
    assert f"resume={run_id}" in failed.stderr

    (farm.traces / "broken south").unlink()
    done = tasks_run("go_on", f"run_id={run_id}", "--json")
    assert done.returncode == 0, done.stderr
    steps = json.loads(done.stdout)["steps"]
    assert steps["tell"] == {"id": steps["tell"]["id"], "status": "SUCCESS", "result": "6 earned"}
    for key in steps:
        assert key in done.stderr
