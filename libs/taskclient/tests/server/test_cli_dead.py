"""`tasks dead` as a person uses it: what it prints, what it changes, its exit codes."""

import base64
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from taskclient.cli_app import app
from taskclient.letters import UNREADABLE, dead_key
from taskclient.message import build_message

TASKS = Path(sys.executable).with_name("tasks")
START = 1_900_000_000.0  # seconds since 1970


@pytest.fixture
def environment(letters_valkey):
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TASK_")}
    return inherited | {"TASK_BROKER_URL": letters_valkey.url, "COLUMNS": "200"}


@pytest.fixture
def dead(environment):
    """The command in this process, as starting Python for each call takes long; one test starts a real one."""

    def run(*words, code=0):
        done = CliRunner().invoke(app, ["dead", *words], env=environment)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        assert done.exit_code == code, done.stderr
        return done

    return run


@pytest.fixture
def server(letters_valkey):
    with letters_valkey.client() as server:
        yield server


@pytest.fixture
def three(bury):
    """Two letters of failed tasks with personal texts, and one of a message that cannot be read."""
    for number in (1, 2):
        payload = {"to": f"ada{number}@lovelace.example.org", "count": number}
        raw = build_message("app.tasks.email.send", payload, queue="email", task_id=f"id{number}")
        fields = {"task": "app.tasks.email.send", "list": "email", "error": f"SMTPError: no {number}"}
        bury(f"id{number}", raw, service="email", now=START + number, traceback="Traceback: line 7", **fields)
    bury("junk", b"{\x1b[2J\xff", service="etl", now=START, task=None, reason=UNREADABLE, list="etl")


@pytest.mark.usefixtures("three")
class TestReading:
    def test_stats(self, dead):
        done = dead("stats")

        for text in (
            "email",
            "etl",
            "2030-03-17 17:46:41Z",
            "email: by reason: failed 2",
            "by task: app.tasks.email.send 2",
        ):
            assert text in done.stdout
        assert "(no task) 1" in done.stdout

    def test_stats_of_one_service_as_json(self, dead):
        [stats] = json.loads(dead("stats", "--service", "email", "--json").stdout)

        assert (stats["service"], stats["letters"], stats["reasons"]) == ("email", 2, {"failed": 2})

    def test_list(self, dead):
        lines = dead("list").stdout.splitlines()

        assert [word for line in lines for word in ("id2", "id1", "junk") if line.startswith(f"{word} ")] == [
            "id2",
            "id1",
            "junk",
        ]
        assert any("SMTPError: no 2" in line for line in lines)

    def test_list_goes_on(self, dead):
        first = json.loads(dead("list", "--limit", "2", "--json").stdout)
        second = json.loads(dead("list", "--limit", "2", "--after", first["next"], "--json").stdout)

        assert [letter["id"] for letter in first["letters"] + second["letters"]] == ["id2", "id1", "junk"]
        assert second["next"] is None
        assert "add --after '1900000001.0:id1'" in dead("list", "--limit", "2").stderr

    @pytest.mark.parametrize(
        ("words", "ids"),
        [
            (["--task", "app.tasks.email.*"], ["id2", "id1"]),
            (["--reason", "unreadable"], ["junk"]),
            (["--error", "NO 1"], ["id1"]),
            (["--since", "2030-03-17T17:46:42Z"], ["id2"]),
            (["--service", "etl"], ["junk"]),
            (["--until", "1h"], []),
        ],
    )
    def test_filters(self, dead, words, ids):
        found = json.loads(dead("list", "--json", *words).stdout)["letters"]

        assert [letter["id"] for letter in found] == ids

    def test_show_hides_the_payloads_texts(self, dead):
        shown = dead("show", "id1").stdout

        for text in (
            "failed",
            "SMTPError: no 1",
            "app.tasks.email.send",
            "somebody@example.com",
            '"count": 1',
            "line 7",
        ):
            assert text in shown
        assert "lovelace" not in shown
        assert "lovelace" not in dead("show", "id1", "--json").stdout

    def test_show_with_the_payload(self, dead):
        assert "ada1@lovelace.example.org" in dead("show", "id1", "--payload").stdout
        shown = json.loads(dead("show", "id1", "--payload", "--json").stdout)
        assert shown["kwargs"]["to"] == "ada1@lovelace.example.org"
        assert b'"id": "id1"' in base64.b64decode(shown["raw"])

    def test_an_unreadable_message_cannot_steer_the_terminal(self, dead):
        assert "no message of Celery's form" in dead("show", "junk").stdout
        shown = dead("show", "junk", "--payload").stdout
        assert "{\\x1b[2J\\xff" in shown
        assert "\x1b" not in shown


@pytest.mark.usefixtures("three")
class TestChanging:
    def test_replay_one(self, dead, server):
        done = dead("replay", "id1")

        assert (done.stdout, done.stderr) == ("id1\n", "1 replayed.\n")
        assert server.llen("email") == 1

    def test_replay_as_json(self, dead):
        assert json.loads(dead("replay", "id1", "id2", "--json").stdout) == {"replayed": 2, "ids": ["id1", "id2"]}

    def test_replay_all_that_fit(self, dead, server):
        assert dead("replay", "--all", "--yes", "--service", "email", "--rate", "50").stdout == "id1\nid2\n"
        assert (server.llen("email"), server.zcard(dead_key("etl"))) == (2, 1)

    def test_an_error_in_between_says_what_is_done(self, dead):
        done = dead("replay", "id1", "nobody", "id2", code=2)

        assert done.stdout == "id1\n"
        assert "1 replayed." in done.stderr
        assert "There is no dead letter nobody" in done.stderr

    @pytest.mark.parametrize("command", ["replay", "discard"])
    def test_all_needs_yes_where_nobody_can_be_asked(self, dead, server, command):
        done = dead(command, "--all", code=2)

        assert "3 dead letters" in done.stderr
        assert "say --yes" in done.stderr
        assert server.zcard(dead_key("email")) == 2

    @pytest.mark.parametrize(("answer", "code", "left"), [(b"n\n", 2, 2), (b"y\n", 0, 0)])
    def test_all_asks_a_person(self, environment, server, answer, code, left):
        person, terminal = pty.openpty()
        os.write(person, answer)
        command = [str(TASKS), "dead", "discard", "--all", "--service", "email"]
        done = subprocess.run(
            command, env=environment, stdin=terminal, capture_output=True, check=False, text=True, timeout=60
        )
        os.close(terminal)
        os.close(person)

        assert (done.returncode, server.zcard(dead_key("email"))) == (code, left)
        assert "Discard 2 dead letters for good? [y/N]" in done.stderr

    def test_discard(self, dead, server):
        assert dead("discard", "junk").stdout == "junk\n"
        assert dead("discard", "--all", "--yes", "--error", "no 2").stdout == "id2\n"
        assert [server.zcard(dead_key(service)) for service in ("email", "etl")] == [1, 0]
        assert server.llen("email") == 0

    @pytest.mark.parametrize(
        ("words", "says"),
        [
            (["replay"], "or say --all"),
            (["replay", "id1", "--all"], "not both"),
            (["discard", "id1", "--reason", "failed"], "Filters go with --all"),
            (["discard", "id1", "--parked", "x"], "leave the other choices out"),
            (["replay", "--all", "--yes", "--rate", "0"], "above 0"),
            (["replay", "--all", "--yes", "--since", "yesterday"], "A time ago is"),
            (["list", "--after", "x"], "`next` of a page"),
            (["show", "nobody"], "tasks dead list"),
        ],
    )
    def test_wrong_usage_changes_nothing(self, dead, server, words, says):
        assert says in dead(*words, code=2).stderr
        assert server.zcard(dead_key("email")) == 2


@pytest.mark.usefixtures("three")
class TestTest:
    def test_to_a_file_that_does_not_exist_yet(self, dead, tmp_path):
        file = tmp_path / "test_letter.py"

        assert dead("test", "id1", "--output", str(file)).stdout == f"{file}\n"

        compile(file.read_text(), file.name, "exec")
        assert "lovelace" not in file.read_text()
        assert "exists already" in dead("test", "id1", "--output", str(file), code=2).stderr
        assert "cannot be written" in dead("test", "id1", "--output", str(tmp_path / "no" / "t.py"), code=2).stderr

    def test_to_stdout_with_the_payload(self, dead):
        text = dead("test", "id1", "--payload").stdout

        compile(text, "test_letter.py", "exec")
        assert "ada1@lovelace.example.org" in text
        assert json.loads(dead("test", "id1", "--payload", "--json").stdout) == {"file": None, "test": text}


class TestParked:
    @pytest.fixture(autouse=True)
    def parked(self, server):
        server.sadd("workerkit:services", "email")
        server.sadd("worker:email:parked", "app.tasks.email.new")
        server.lpush("worker:email:parked:app.tasks.email.new", "email\none", "email\ntwo")

    def test_list(self, dead):
        assert "app.tasks.email.new" in dead("parked").stdout
        assert json.loads(dead("parked", "--json").stdout) == {"email": {"app.tasks.email.new": 2}}

    def test_offer(self, dead, server):
        assert json.loads(dead("offer", "app.tasks.email.new", "--json").stdout) == {"offered": 2}
        assert server.lrange("email", 0, -1) == [b"two", b"one"]

    def test_discard(self, dead, server):
        assert "say --yes" in dead("discard", "--parked", "app.tasks.email.new", code=2).stderr
        assert dead("discard", "--parked", "app.tasks.email.new", "--yes").stderr == "2 discarded.\n"
        assert not server.exists("worker:email:parked")


def test_nothing_there(dead):
    assert "No service has had a worker" in dead("stats").stderr
    assert "No dead letter fits" in dead("list").stderr
    assert dead("replay", "--all", "--yes").stderr == "0 replayed.\n"


def test_unreachable_is_exit_code_3(dead):
    assert dead("stats", "--broker", "redis://127.0.0.1:1/0", code=3).stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["stats", "list", "show", "replay", "discard", "parked", "offer", "test"])
def test_help_has_examples_and_exit_codes(dead, command):
    done = dead(command, "--help")

    assert "Examples:\n" in done.stdout
    assert "Exit codes: 0 ok" in done.stdout
