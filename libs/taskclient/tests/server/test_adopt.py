"""The move from plain Celery: what its killed workers had taken is put back, and a worker of this transport runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from devstack.process import ManagedProcess
from devstack.services import ROOT
from devstack.waiting import wait_for
from devstack.worker import WORKER, WorkerProcess
from taskclient.cli_app import app
from taskclient.client import TaskClient
from taskclient.unacked import AMBIGUOUS, CHANGED, NO_LIST, OTHER_QUEUE, UNBOUND, UNREADABLE, adopt_unacked

SLEEP = "app.tasks.delivery.sleep"
TASKS = Path(sys.executable).with_name("tasks")
PLAIN_APP = """
import time
from celery import Celery
from kombu import Exchange, Queue

app = Celery("plain", broker={broker!r}, backend={results!r})
app.conf.update(
    task_queues=[Queue("delivery", Exchange("tasks", type="topic"), routing_key="mail.#"), Queue("other")],
    task_acks_late=True,
    worker_prefetch_multiplier=10,
)


@app.task(name="app.tasks.delivery.sleep")
def sleep(name, seconds=0):
    time.sleep(600)
"""

SEND = """
import sys
from plain_app import sleep
payload = {"name": sys.argv[1]}
options = {"queue": "delivery", "routing_key": "mail.new", "priority": int(sys.argv[2])}
print(sleep.apply_async(kwargs=payload, **options).id)
"""


@pytest.fixture
def server(module_valkey):
    with module_valkey.client() as server:
        server.flushall()
        yield server


@pytest.fixture
def client(module_valkey):
    with TaskClient(module_valkey.url) as client:
        yield client


@pytest.fixture
def tasks(module_valkey):
    """The command in this process; one test starts a real one."""

    def run(*words, code=0):
        done = CliRunner().invoke(app, ["adopt-unacked", *words], env={"TASK_BROKER_URL": module_valkey.url})
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        assert done.exit_code == code, done.stderr
        return done

    return run


@pytest.fixture
def plain(module_valkey, server, tmp_path):
    """A worker of plain Celery, and a function that sends as its application does."""
    url = module_valkey.url
    source = PLAIN_APP.format(broker=url, results=url[:-1] + "1")
    (tmp_path / "plain_app.py").write_text(source)
    options = ["-c", "2", "-l", "warning", "--without-gossip", "--without-mingle"]
    argv = [sys.executable, "-m", "celery", "-A", "plain_app", "worker", *options]

    def send(name, priority):
        words = [sys.executable, "-c", SEND, name, str(priority)]
        return subprocess.run(words, cwd=tmp_path, check=True, capture_output=True, text=True).stdout.strip()

    with ManagedProcess("plain", argv, log=tmp_path / "plain.log", cwd=tmp_path) as process:
        yield process, send


@pytest.fixture
def worker(module_valkey, tmp_path):
    """A worker of this transport on the same queue."""
    folder = tmp_path / "worker"
    folder.mkdir()
    source = ROOT / "libs/workerkit/tests/server/delivery"
    settings = {"TASK_LEASE_SECONDS": "3"}
    with WorkerProcess(
        module_valkey, source, "delivery_app", folder=folder, arguments=WORKER, settings=settings
    ) as process:
        yield process


def entry(server, tag, message, exchange="", routing_key="demo", *, taken=1.0):
    """What plain Celery notes when it has taken a message."""
    server.hset("unacked", tag, json.dumps([message, exchange, routing_key]))
    server.zadd("unacked_index", {tag: taken})


def message(mark, **properties):
    return {"body": mark, "headers": {}, "properties": properties}


def test_what_a_killed_plain_worker_had_taken_is_run(plain, server, client, tasks, request):
    process, send = plain
    ids = [client.send(SLEEP, name=f"direct-{n}").id for n in range(5)]
    ids += [client.send(SLEEP, name=f"due-{n}", countdown=20).id for n in range(2)]
    ids += [send(f"topic-{number}", priority) for number, priority in enumerate((0, 5, 9))]
    wait_for(lambda: server.hlen("unacked") == 10, 60)
    assert "say --force" in tasks("--yes", code=2).stderr  # a running worker is seen
    process.kill()
    stored = server.hgetall("unacked")
    wait_for(lambda: not client.plain_consumers())

    assert tasks("--dry-run").stdout == "delivery: 10 would move\n"
    assert server.hgetall("unacked") == stored
    assert "say --yes" in tasks(code=2).stderr
    assert json.loads(tasks("--yes", "--json").stdout) == {"dry_run": False, "moved": {"delivery": 10}, "kept": {}}

    assert not server.exists("unacked", "unacked_index")
    lists = {name: server.lrange(name, 0, -1) for name in ("delivery", "delivery\x06\x163", "delivery\x06\x169")}
    assert [len(raws) for raws in lists.values()] == [8, 1, 1]
    front = [json.loads(raw)["headers"]["id"] for raw in reversed(lists["delivery"])]
    assert front == ids[:8]
    for raw in (raw for raws in lists.values() for raw in raws):
        assert any(value.startswith(b"[" + raw + b", ") for value in stored.values())
    worker = request.getfixturevalue("worker")
    for task_id in ids:
        client.handle(task_id).result(60)
    names = [f"direct-{n}" for n in range(5)] + [f"due-{n}" for n in range(2)] + [f"topic-{n}" for n in range(3)]
    assert [worker.trace(name) for name in names] == [["start", "end"]] * 10
    assert client.dead_letters("delivery").count() == 0


def test_what_cannot_be_moved_stays(server):
    entry(server, "fine", message("fine"))
    for exchange, members in {"two": ["k\x06\x16\x06\x16a", "k\x06\x16\x06\x16b"], "odd": ["x"]}.items():
        server.sadd(f"_kombu.binding.{exchange}", *members)
        entry(server, exchange, message("x"), exchange, "k")
    entry(server, "unbound", message("x"), "nowhere", "k")
    entry(server, "nameless", message("x"), "", "")
    server.set("text", "no list")
    entry(server, "no list", message("x"), "", "text")
    junk = [b"\xff", b"{}", b"[1, 2]", b'["x", "", "demo"]', b'[{}, "", "demo"]', b"[" * 100_000, b""]
    for number, value in enumerate(junk):
        server.hset("unacked", f"junk-{number}", value)
    before = server.hlen("unacked")

    done = adopt_unacked(server)

    assert done.moved == {"demo": 1}
    assert done.kept == {AMBIGUOUS: 1, UNBOUND: 3, NO_LIST: 1, UNREADABLE: len(junk)}
    assert server.hlen("unacked") == before - 1
    assert server.lrange("demo", 0, -1) == [json.dumps(message("fine")).encode()]
    assert adopt_unacked(server).moved == {}


def test_the_bytes_stay_as_they_are(server):
    raw = b'{"body": "\\u00e9", "n": 12345678901234567890, "l": [], "f": 1.10, "properties": {"priority": "7"}}'
    server.hset("unacked", "tag", b" [ " + raw + b' , null,"demo"]')

    assert adopt_unacked(server).moved == {"demo": 1}
    assert server.lrange("demo\x06\x166", 0, -1) == [raw]


def test_the_first_one_taken_is_first_in_line_before_those_that_wait(server):
    server.lpush("demo", "waits")
    for number in range(250):
        entry(server, f"tag-{number}", message(f"{number}"), taken=1000.0 + number)

    assert adopt_unacked(server).moved == {"demo": 250}
    bodies = [json.loads(raw)["body"] for raw in reversed(server.lrange("demo", 1, -1))] if server.llen("demo") else []
    assert bodies == [f"{number}" for number in range(250)]
    assert server.lindex("demo", 0) == b"waits"


def test_only_of_some_queues(server, tasks):
    entry(server, "a", message("a"), routing_key="a")
    entry(server, "b", message("b"), routing_key="b")

    done = tasks("--queue", "b", "--yes")

    assert done.stdout == "b: 1 moved\n"
    assert done.stderr == f"1 kept: {OTHER_QUEUE}\n"
    assert server.hkeys("unacked") == [b"a"]
    assert tasks("--queue", "c", "--yes").stderr == f"1 kept: {OTHER_QUEUE}\n"


def test_two_at_once_double_none(module_valkey, server):
    for number in range(1_000):
        entry(server, f"tag-{number}", message(f"{number}"))
    command = [TASKS, "adopt-unacked", "--yes", "--json", "--broker", module_valkey.url]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TASK_")}
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=inherited) for _ in range(2)]
    done = [json.loads(process.communicate(timeout=60)[0]) for process in started]

    assert sum(one["moved"].get("demo", 0) for one in done) == 1_000
    assert {why for one in done for why in one["kept"]} <= {CHANGED}
    bodies = [json.loads(raw)["body"] for raw in server.lrange("demo", 0, -1)]
    assert sorted(bodies) == sorted(f"{number}" for number in range(1_000))


def test_nothing_left(tasks, server):
    assert tasks("--yes").stderr == "Plain Celery has left nothing in this Redis.\n"
