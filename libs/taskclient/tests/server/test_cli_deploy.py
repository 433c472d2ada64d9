"""`tasks can-deploy` and `tasks forget` as a person runs them: what they print, and their exit codes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from taskclient.catalog import CatalogEntry, publish_catalog, read_catalog
from taskclient.contract_file import dump_contract
from taskclient.message import build_message

TASKS = Path(sys.executable).with_name("tasks")
ADD = "app.tasks.depot.add"


def entry(**properties) -> CatalogEntry:
    parameters = {"type": "object", "properties": properties, "additionalProperties": False}
    return CatalogEntry(name=ADD, queue="depot", service="depot", description="", parameters=parameters, result={})


@pytest.fixture
def tasks(letters_valkey, tmp_path):
    (tmp_path / "services" / "worker-celery-depot").mkdir(parents=True)
    file = tmp_path / "services" / "worker-celery-depot" / "contract.json"
    file.write_text(dump_contract("depot", [entry(a={"type": "integer"})]))

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"TASK_BROKER_URL": letters_valkey.url}
        done = subprocess.run(
            [str(TASKS), *words], env=environment, cwd=tmp_path, capture_output=True, check=False, text=True, timeout=60
        )
        assert "Traceback" not in done.stderr
        return done

    return run


def push(server, task_id, **payload):
    with server.client() as redis:
        redis.lpush("depot", build_message(ADD, payload, queue="depot", task_id=task_id))


def test_all_is_understood(tasks, letters_valkey):
    push(letters_valkey, "fine", a=1)
    done = tasks("can-deploy", "depot")
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 messages of depot" in done.stdout
    assert "it understands all of them" in done.stdout


def test_what_is_not_is_named_with_its_fields(tasks, letters_valkey):
    push(letters_valkey, "one", a="s3cret")
    push(letters_valkey, "two", a=1, b=2)
    done = tasks("can-deploy", "depot", "--contract", "services/worker-celery-depot/contract.json")
    assert done.returncode == 1
    assert f"one {ADD} (waiting, depot): its payload does not fit" in done.stdout
    assert "  b: is not a parameter of this task" in done.stdout
    assert "all but 2 of them" in done.stdout
    assert "s3cret" not in done.stdout
    assert "and 1 more; --most shows them" in tasks("can-deploy", "depot", "--most", "1").stdout


def test_for_programs(tasks, letters_valkey):
    push(letters_valkey, "one", a="x")
    done = tasks("can-deploy", "depot", "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 1
    assert (found["safe"], found["total"]) == (False, {"payload": 1})
    assert found["checked"] == {"in flight": 0, "parked": 0, "delayed": 0, "waiting": 1}
    assert found["messages"][0]["errors"][0]["field"] == "a"


@pytest.mark.parametrize(
    "words", [("depot", "--contract", "nowhere"), ("other",), ("depot", "--broker", "redis://127.0.0.1:1/0")]
)
def test_what_cannot_be_asked(tasks, words):
    done = tasks("can-deploy", *words)
    assert done.returncode == (3 if "--broker" in words else 2)
    assert done.stderr.startswith("Error: ")


def test_forget(tasks, letters_valkey):
    with letters_valkey.client() as redis:
        publish_catalog(redis, "depot", [entry()])
        assert tasks("forget", "depot").stdout == f"Forgotten: {ADD}\n"
        assert read_catalog(redis) == []
        again = tasks("forget", "depot", "--json")
    assert json.loads(again.stdout) == {"service": "depot", "tasks": []}
    assert "no task of depot" in tasks("forget", "depot").stderr
