"""The commands that show and operate queues, schedules and single tasks, on a server that no worker knows."""

import json
import time

import pytest
from typer.testing import CliRunner

from taskclient.catalog import CatalogEntry, publish_catalog
from taskclient.cli_app import app
from taskclient.client import TaskClient
from taskclient.contract_file import dump_contract

SCHEMA = {
    "type": "object",
    "properties": {"to": {"type": "string", "format": "email"}, "copies": {"type": "integer", "default": 1}},
    "required": ["to"],
}
SEND = "app.tasks.email.send_email"


@pytest.fixture
def server(letters_valkey):
    entry = CatalogEntry(
        name=SEND, queue="email", service="email", description="Send [one] mail.", parameters=SCHEMA, result={}
    )
    with letters_valkey.client() as server:
        publish_catalog(server, "email", [entry])
        yield server


@pytest.fixture
def results(letters_valkey):
    with letters_valkey.client(1) as results:
        results.flushdb()
        yield results


@pytest.fixture
def client(letters_valkey):
    with TaskClient(letters_valkey.url) as client:
        yield client


@pytest.fixture
def tasks(letters_valkey):
    def run(*words, **more):
        environment = {"TASK_BROKER_URL": letters_valkey.url, "COLUMNS": "200", **more}
        return CliRunner().invoke(app, list(words), prog_name="tasks", env=environment, catch_exceptions=False)

    return run


@pytest.fixture
def nightly(server):
    """As RedBeat writes an entry."""
    definition = {
        "name": "email:nightly",
        "task": SEND,
        "args": None,
        "kwargs": {"to": "ada@example.com"},
        "options": {"queue": "later", "expires": 10},
        "schedule": {"__type__": "crontab", "minute": 0, "hour": 1, "day_of_week": "*"},
        "enabled": True,
    }
    last = {"__type__": "datetime", "year": 2026, "month": 1, "day": 2, "hour": 1, "minute": 0, "timezone": 0.0}
    meta = {"last_run_at": last, "total_run_count": 1}
    server.hset("redbeat:email:nightly", mapping={"definition": json.dumps(definition), "meta": json.dumps(meta)})
    server.zadd("redbeat::schedule", {"redbeat:email:nightly": time.time() + 9000})
    return definition


def test_queues(server, tasks):
    server.lpush("email", "x", "y")
    table = tasks("queues")
    assert "Waiting" in table.stdout
    assert [cell.strip() for cell in table.stdout.splitlines()[3].split("│")][1:4] == ["email", "email", "2"]
    [state] = json.loads(tasks("queues", "--service", "email", "--json").stdout)
    assert (state["queue"], state["depth"], state["paused"]) == ("email", 2, False)


def test_no_queues(letters_valkey, tasks):
    assert "no worker has published" in tasks("queues").stderr
    assert json.loads(tasks("queues", "--json").stdout) == []


@pytest.mark.usefixtures("server")
def test_pause_and_resume(tasks):
    assert tasks("queues", "pause", "email").stdout == "email: paused\n"
    assert tasks("queues", "pause", "email").stdout == "email: was paused already\n"
    assert "paused" in tasks("queues").stdout
    done = tasks("queues", "resume", "email", "--json")
    assert json.loads(done.stdout) == {"queue": "email", "paused": False, "changed": True}
    wrong = tasks("queues", "pause", "emial")
    assert (wrong.exit_code, wrong.stderr) == (2, "Error: No task has a queue 'emial'; did you mean email?\n")


@pytest.mark.parametrize(
    "words", [("queues", "--json", "pause", "email"), ("schedules", "--broker", "x", "run", "a:b")]
)
def test_options_before_the_command_are_refused(words, tasks):
    """Else `--broker` would be taken for granted, and the command would work on another one."""
    done = tasks(*words)
    assert (done.exit_code, "write the options after" in done.stderr) == (2, True)


@pytest.mark.usefixtures("nightly")
def test_schedules(server, tasks):
    table = tasks("schedules").stdout
    assert all(words in table for words in ("email:nightly", "daily at 01:00", "later", " ago", "in 2.5 h"))
    [one] = json.loads(tasks("schedules", "--json").stdout)
    assert (one["last_run"], one["paused"]) == ("2026-01-02T01:00:00+00:00", False)
    assert tasks("schedules", "pause", "email:nightly").stdout == "email:nightly: paused\n"
    assert "paused" in tasks("schedules").stdout
    assert json.loads(tasks("schedules", "resume", "email:nightly", "--json").stdout)["changed"]
    assert tasks("schedules", "run", "email:nightly").exit_code == 0
    [raw] = server.lrange("later", 0, -1)
    assert (json.loads(raw)["headers"]["task"], json.loads(raw)["headers"]["expires"] is None) == (SEND, False)
    wrong = tasks("schedules", "pause", "email:nigtly")
    assert (wrong.exit_code, "did you mean email:nightly?" in wrong.stderr) == (2, True)


def test_a_damaged_schedule_is_left_out(server, nightly, tasks):
    server.hset("redbeat:email:broken", "definition", "{}")
    server.zadd("redbeat::schedule", {"redbeat:email:broken": 1, "redbeat:email:gone": 1})
    assert [one["name"] for one in json.loads(tasks("schedules", "--json").stdout)] == [nightly["name"]]


@pytest.mark.usefixtures("server")
def test_show(tasks):
    shown = tasks("show", "send_email").stdout
    assert "Send [one] mail." in shown
    assert f"tasks send {SEND} to=ada@example.com" in shown
    assert json.loads(tasks("show", SEND, "--json").stdout)["example"] == {"to": "ada@example.com"}
    wrong = tasks("show", "app.tasks.email.send_mail")
    assert (wrong.exit_code, "did you mean app.tasks.email.send_email?" in wrong.stderr) == (2, True)


def test_cancel(server, results, client, tasks):
    waiting = client.send(SEND, to="ada@example.com")
    held = client.send(SEND, to="ada@example.com", task_id="held")
    server.zadd("worker:email:holders", {"a:1:0": 1})
    server.hset("worker:email:inflight:a:1:0", "1", b"email\n" + server.lpop("email"))
    results.set("celery-task-meta-done", json.dumps({"status": "SUCCESS", "result": 1}))
    lines = tasks("cancel", waiting.id, held.id, "done", "--json").stdout.splitlines()
    assert [json.loads(line)["was"] for line in lines] == ["waiting", "running", "finished"]
    assert (waiting.status(), held.status()) == ("REVOKED", "PENDING")  # its worker says how that one ends
    assert set(server.zrange("worker:email:cancelled", 0, -1)) == {waiting.id.encode(), b"held"}
    assert tasks("cancel", waiting.id).stdout == f"{waiting.id}: it has finished; nothing was changed\n"


def test_a_message_of_the_same_workflow_is_another_one(server, client):
    child = client.send(SEND, to="ada@example.com").id
    server.zadd("worker:email:holders", {"a:1:0": 1})
    raw = server.lpop("email").replace(b'"root_id": "' + child.encode(), b'"root_id": "root')
    server.hset("worker:email:inflight:a:1:0", "1", b"email\n" + raw)
    assert client.cancel("root") == "waiting"
    assert client.cancel(child) == "running"


def test_watch(results, tasks):
    results.set("celery-task-meta-done", json.dumps({"status": "SUCCESS", "result": [1]}))
    assert tasks("watch", "done").stdout == "[1]\n"
    assert json.loads(tasks("watch", "done", "--json").stdout) == {
        "id": "done",
        "status": "SUCCESS",
        "progress": None,
        "result": [1],
        "error": None,
        "finished": True,
    }
    half = {"current": 1, "total": 4, "message": "rows"}
    results.set("celery-task-meta-half", json.dumps({"status": "PROGRESS", "result": half}))
    seen = tasks("watch", "half", "--json", "--timeout", "0.1")
    assert (seen.exit_code, json.loads(seen.stdout)["progress"]) == (4, {**half, "fraction": 0.25})


def test_each_command_speaks_json_and_has_examples():
    checked = 0
    for path, command in commands(app):
        checked += 1
        assert "Examples:\n" in command.help, path
        assert any("--json" in option.opts for option in command.params), path
    assert checked > 20


def commands(group):
    import typer  # noqa: PLC0415

    todo = [("tasks", typer.main.get_command(group))]
    while todo:
        path, command = todo.pop()
        for name, one in getattr(command, "commands", {}).items():
            todo.append((f"{path} {name}", one))
            if f"{path} {name}" != "tasks dead":  # only a title for others
                yield f"{path} {name}", one


@pytest.mark.usefixtures("nightly")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("tasks send app.tasks.em", [SEND]),
        ("tasks run send", ["send_email"]),
        ("tasks queues pause e", ["email"]),
        ("tasks schedules run email", ["email:nightly"]),
        ("tasks workers --service e", ["email"]),
        ("tasks send x", []),
    ],
)
def test_the_shell_completes_names(words, offered, tasks):
    asked = {"_TASKS_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    assert tasks(**asked).stdout.split() == offered


def test_a_shell_without_a_server_is_offered_nothing(tasks):
    asked = {"_TASKS_COMPLETE": "complete_bash", "COMP_WORDS": "tasks send app.", "COMP_CWORD": "2"}
    done = tasks(**asked, TASK_BROKER_URL="redis://127.0.0.1:1/0")
    assert (done.stdout.strip(), done.stderr) == ("", "")


def test_files_take_the_catalog_s_place_for_the_shell(tasks, tmp_path):
    entry = CatalogEntry(name="app.tasks.a.b", queue="a", service="a", description="", parameters=SCHEMA, result={})
    (tmp_path / "contract.json").write_text(dump_contract("a", [entry]))
    asked = {"_TASKS_COMPLETE": "complete_bash", "COMP_WORDS": "tasks show app.", "COMP_CWORD": "2"}
    assert tasks(**asked, TASK_CONTRACTS=str(tmp_path)).stdout == "app.tasks.a.b\n"
