"""Workflows through two workers that know only the names of each other's tasks, on a real Valkey."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from devstack.waiting import wait_for
from devstack.worker import WorkerProcess
from taskclient.canvas import group, immutable, step
from taskclient.client import TaskClient
from taskclient.errors import TaskFailed, WorkflowRefused
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
    return WorkflowRun.from_result(client.send(f"app.tasks.farm.{name}", **payload).result(60))


def end_of(client, run):
    """The final state of each step."""
    wait_for(lambda: run.finished(client.records(run)))
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


def milled(field):
    return [step("app.tasks.farm.harvest", field=field), step("app.tasks.mill.grind")]


def test_a_caller_chains_tasks_of_services_that_do_not_know_each_other(farm, client):
    handle = client.chain(*milled("north"), immutable("app.tasks.mill.bake", loaves=2), step("app.tasks.farm.tell"))
    assert handle.result(60) == "2 earned"
    assert [one.result(60) for one in handle.steps[:2]] == [{"from": "north"}, "flour from north"]


def test_a_chord_hands_on_the_results_of_its_branches(farm, client):
    branches = [milled(field) for field in FIELDS]
    assert client.group(branches).result(60) == [f"flour from {field}" for field in FIELDS]
    assert client.chord(branches, step("app.tasks.mill.store")).result(60) == 3
    further = [step("app.tasks.farm.sell", price=3), step("app.tasks.farm.tell")]
    assert client.chain(group(branches), step("app.tasks.mill.store"), *further).result(60) == "9 earned"


def test_groups_within_a_chain_take_the_result_before_them(farm, client):
    grain, flour = step("app.tasks.farm.harvest", field="east"), step("app.tasks.mill.grind")
    handle = client.chain(grain, group([flour, flour]), step("app.tasks.mill.store"))
    assert handle.result(60) == 2
    prices = [step("app.tasks.farm.sell", price=price) for price in (2, 5)]
    assert client.chain(step("app.tasks.mill.bake", loaves=2), group(prices)).result(60) == [4, 10]


def test_a_failed_branch_ends_all_that_comes_after_it(farm, client):
    (farm.traces / "broken east").touch()
    further = [step("app.tasks.mill.store"), step("app.tasks.farm.tell")]
    handle = client.chain(group(milled(field) for field in FIELDS), *further)
    with pytest.raises(TaskFailed, match="stones in the grain from east"):
        handle.result(60)
    failed = handle.run.failed(client.records(handle.run))
    assert [one.key for one in failed] == ["1.2.2 app.tasks.mill.grind"]


def test_everything_that_cannot_fit_is_said_before_anything_is_sent(farm, client):
    with pytest.raises(WorkflowRefused) as refused:
        client.chain(
            step("app.tasks.farm.harvest", field=7),
            step("app.tasks.farm.sell", price="cheap", colour="red"),
            group([step("app.tasks.mill.grnd"), step("app.tasks.mill.bake", loaves=2)]),
            step("app.tasks.mill.store"),
        )
    wrong = {(error["step"], error["after"], error["field"]): error["problem"] for error in refused.value.errors}
    store = ("4 app.tasks.mill.store", "the group 3.1 app.tasks.mill.grnd to 3.2 app.tasks.mill.bake", "sacks")
    assert store not in wrong  # the result of a task that there is not fits everywhere
    assert "is not of type" in wrong.pop(("1 app.tasks.farm.harvest", None, "field"))
    assert "is not of type" in wrong.pop(("2 app.tasks.farm.sell", None, "price"))
    assert "is not a parameter" in wrong.pop(("2 app.tasks.farm.sell", None, "colour"))
    harvested = ("2 app.tasks.farm.sell", "1 app.tasks.farm.harvest", "loaves")
    assert wrong.pop(harvested) == "object is not accepted"
    assert "did you mean app.tasks.mill.grind" in wrong.pop(("3.1 app.tasks.mill.grnd", None, ""))
    twice = wrong.pop(("3.2 app.tasks.mill.bake", "2 app.tasks.farm.sell", "loaves"))
    assert "must not be in the payload" in twice
    assert not wrong
    assert "2 app.tasks.farm.sell after 1 app.tasks.farm.harvest: loaves: object is not accepted" in str(refused.value)
    assert not list(farm.traces.iterdir())


def test_a_group_of_wrong_results_is_told_and_may_be_sent_all_the_same(farm, client):
    loaves = [step("app.tasks.mill.bake", loaves=number) for number in (1, 2)]
    with pytest.raises(
        WorkflowRefused, match=r"the group 1\.1 .* to 1\.2 .*: sacks\[\d?\]: (integer|number) is not accepted"
    ):
        client.chord(loaves, step("app.tasks.mill.store"))
    handle = client.chord(loaves, step("app.tasks.mill.store"), check_joints=False)
    with pytest.raises(TaskFailed, match="sacks"):
        handle.result(60)


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
