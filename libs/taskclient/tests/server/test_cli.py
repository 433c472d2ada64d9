"""The `tasks` command as a person runs it: a process, its output, its exit code."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from taskclient.catalog import CATALOG_KEY, CatalogEntry, publish_catalog

TASKS = Path(sys.executable).with_name("tasks")


@pytest.fixture
def tasks(valkey):
    """Runs the command against the server; the password comes by its own variable."""
    address = f"redis://127.0.0.1:{valkey.port}/0"

    def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        own = {"TASK_BROKER_URL": address, "REDIS_PASSWORD": valkey.password, "COLUMNS": "200"}
        inherited = {
            key: value for key, value in os.environ.items() if key not in {"TASK_BROKER_URL", "TASK_RESULT_URL"}
        }
        done = subprocess.run(
            [str(TASKS), *words],
            env=inherited | own | environment,
            capture_output=True,
            check=False,
            text=True,
            timeout=60,
        )
        assert "Traceback" not in done.stderr
        return done

    return run


@pytest.fixture
def catalog(broker):
    schema = {"type": "object", "properties": {"to": {"type": "string"}, "copy": {}}, "required": ["to"]}
    task = CatalogEntry(
        name="app.tasks.demo.mail",
        queue="demo",
        service="worker-demo",
        description="Send [one] mail.\n\nMore.",
        parameters=schema,
        result={},
    )
    publish_catalog(broker, "worker-demo", [task])
    yield task
    broker.delete(CATALOG_KEY)


@pytest.mark.usefixtures("worker")
class TestWithWorker:
    def test_send_and_wait(self, tasks):
        done = tasks("send", "app.tasks.demo.add", "a=2", "b=3", "--wait", "20")

        assert (done.returncode, done.stdout, done.stderr) == (0, "5\n", "")

    def test_text_and_json_values(self, tasks):
        done = tasks("send", "app.tasks.demo.add", "a=x=y", 'b="3"', "--wait", "20")

        assert json.loads(done.stdout) == "x=y3"

    def test_json_payload_and_a_word_that_outranks_it(self, tasks):
        done = tasks("send", "app.tasks.demo.add", "b=[2]", "--json-payload", '{"a": [1], "b": 0}', "--wait", "20")

        assert json.loads(done.stdout) == [1, 2]

    def test_send_as_json(self, tasks):
        sent = json.loads(tasks("send", "app.tasks.demo.add", "a=1", "b=1", "--json").stdout)
        ended = json.loads(tasks("send", "app.tasks.demo.add", "a=1", "b=1", "--json", "--wait", "20").stdout)

        assert sent.keys() == {"id", "name"}
        assert ended == {"id": ended["id"], "status": "SUCCESS", "result": 2}

    def test_send_then_status(self, tasks, client):
        task_id = tasks("send", "app.tasks.demo.add", "a=2", "b=3").stdout.strip()
        client.handle(task_id).wait(60)

        assert tasks("status", task_id).stdout == "SUCCESS\n5\n"
        assert json.loads(tasks("status", task_id, "--json").stdout) == {
            "id": task_id,
            "status": "SUCCESS",
            "result": 5,
        }

    def test_watch(self, tasks, client):
        task = client.send("app.tasks.demo.add", a=2, b=3, countdown=1)

        done = tasks("status", task.id, "--watch", "--timeout", "20")

        assert done.returncode == 0
        assert done.stdout.splitlines()[-2:] == ["SUCCESS", "5"]

    def test_a_failed_task_is_exit_code_1(self, tasks):
        done = tasks("send", "app.tasks.demo.fail", "text=broken", "--wait", "20")

        assert (done.returncode, done.stdout) == (1, "")
        assert "KeyError: broken, 7" in done.stderr
        assert done.stderr.count("\n") == 1

    def test_a_failed_task_as_json(self, tasks, client):
        task = client.send("app.tasks.demo.fail", text="broken").wait(60)

        done = tasks("status", task.id, "--json")

        assert done.returncode == 1
        assert json.loads(done.stdout)["error"] == {"type": "KeyError", "message": "broken, 7"}

    def test_each_wrong_field_has_its_line(self, tasks):
        done = tasks("send", "app.tasks.demo.refuse", "colour=red", "size=1", "--wait", "20")

        assert done.returncode == 1
        assert done.stderr.splitlines()[1:] == ["  colour: unknown", "  size: unknown"]

    def test_no_result_in_time_is_exit_code_4(self, tasks):
        done = tasks("send", "app.tasks.demo.add", "a=1", "b=1", "--countdown", "60", "--expires", "1", "--wait", "0.3")

        assert done.returncode == 4
        assert "has not finished" in done.stderr


@pytest.mark.usefixtures("worker")
class TestRun:
    def test_the_result_on_stdout_and_what_runs_on_stderr(self, tasks):
        done = tasks("run", "app.tasks.demo.add", "a=2", "b=3")

        assert (done.returncode, done.stdout) == (0, "5\n")
        assert "app.tasks.demo.add" in done.stderr
        assert "SUCCESS" in done.stderr

    def test_a_failure(self, tasks):
        done = tasks("run", "app.tasks.demo.fail", "text=broken")

        assert (done.returncode, done.stdout) == (1, "")
        assert "KeyError: broken, 7" in done.stderr

    def test_the_last_part_of_a_name(self, tasks, broker):
        names = ["app.tasks.demo.add", "app.tasks.demo.sleep", "app.tasks.other.sleep"]
        entries = [
            CatalogEntry(name=name, queue="demo", service="worker-demo", description="", parameters={}, result={})
            for name in names
        ]
        publish_catalog(broker, "worker-demo", entries)
        assert tasks("run", "add", "a=2", "b=3").stdout == "5\n"
        for word, says in (("ad", "did you mean add?"), ("sleep", "app.tasks.other.sleep"), ("zzz", "`tasks list`")):
            done = tasks("run", word)
            assert (done.returncode, done.stdout) == (2, "")
            assert says in done.stderr
        broker.delete(CATALOG_KEY)


def test_a_run_that_takes_too_long_is_exit_code_4(tasks):
    done = tasks("run", "app.tasks.nobody.home", "--timeout", "0.5")

    assert done.returncode == 4
    assert "it goes on" in done.stderr


def test_status_of_an_unknown_task(tasks):
    done = tasks("status", "nobody")

    assert (done.returncode, done.stdout) == (0, "PENDING\n")


def test_watch_that_times_out(tasks):
    done = tasks("status", "nobody", "--watch", "--timeout", "0.3")

    assert (done.returncode, done.stdout) == (4, "PENDING\n")


def test_list_as_table(tasks, catalog):
    done = tasks("list")

    assert done.returncode == 0
    for text in (catalog.name, "demo", "worker-demo", "to: string, copy?", "Send [one] mail."):
        assert text in done.stdout
    assert "More." not in done.stdout


def test_list_as_json(tasks, catalog):
    assert json.loads(tasks("list", "--json").stdout) == [catalog.model_dump()]


def test_empty_list(tasks):
    done = tasks("list")

    assert (done.returncode, done.stdout) == (0, "")
    assert "no worker has published" in done.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["send", "send_email"], "app.tasks.<module>.<task>"),
        (["send", "app.tasks.demo.add", "a"], "key=value"),
        (["send", "app.tasks.demo.add", "--json-payload", "[1]"], "no object"),
        (["send", "app.tasks.demo.add", "--json-payload", "{"], "not JSON"),
        (["send", "app.tasks.demo.add", "--eta", "tomorrow"], "ISO 8601"),
        (["send", "app.tasks.demo.add", "--eta", "2030-01-01T12:00"], "time zone"),
        (["send", "app.tasks.demo.add", "--eta", "2030-01-01T12:00Z", "--countdown", "1"], "give one of them"),
        (["send", "app.tasks.demo.add", "--countdown", "-1"], "0 or more"),
        (["list", "--broker", "amqp://x"], "TASK_REDIS_URL"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(tasks, words, says):
    done = tasks(*words)

    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def test_unreachable_is_exit_code_3(tasks, valkey):
    done = tasks("send", "app.tasks.demo.add", "--broker", "redis://127.0.0.1:1/0")

    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert valkey.password not in done.stderr


def test_wrong_password_is_exit_code_3(tasks):
    done = tasks("list", REDIS_PASSWORD="wrong")

    assert done.returncode == 3
    assert "Check the user and the password" in done.stderr


@pytest.mark.parametrize(
    "words", [["--help"], ["send", "--help"], ["run", "--help"], ["status", "--help"], ["list", "--help"]]
)
def test_help_documents_the_exit_codes(tasks, words):
    done = tasks(*words)

    assert done.returncode == 0
    assert "Exit codes: 0 ok, 1 the task failed" in done.stdout
    assert len(words) == 1 or "Examples:\n" in done.stdout
