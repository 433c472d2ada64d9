"""`make trigger-<task>` runs now what beat runs later."""

import json
import os
import subprocess

import pytest
import trigger

from devstack.services import ROOT

ENTRIES = trigger.schedules()


def make(target, **environment):
    command = ["make", "--no-print-directory", target]
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=120
    )


def test_all_that_beat_runs_is_listed():
    listed = make("triggers").stdout
    assert ENTRIES
    for entry in ENTRIES.values():
        assert f"make trigger-{entry['task'].rpartition('.')[2]} " in listed
        assert entry["task"] in listed


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_is_found_by_its_own_name_and_by_its_tasks(name):
    task = ENTRIES[name]["task"].rpartition(".")[2]
    for word in (name, task, task.replace("_", "-")):
        assert trigger.find(word, ENTRIES) == ENTRIES[name]


def test_an_unknown_name_is_refused_with_the_list():
    refused = make("trigger-nothing")
    assert refused.returncode != 0
    assert "beat runs nothing called 'nothing'" in refused.stderr
    assert "make trigger-nightly" in refused.stderr


def test_a_scheduled_task_runs_now(stack):
    done = make("trigger-cleanup", TASK_BROKER_URL=stack.valkey.url)
    assert done.returncode == 0, done.stderr
    assert isinstance(json.loads(done.stdout), dict)
    assert "app.tasks.maintenance.cleanup" in done.stderr
