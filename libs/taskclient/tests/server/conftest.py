"""A client on a real server, dead letters as workers write them, and a stock Celery worker that serves `demo`."""

import json
import sys
from contextlib import ExitStack

import pytest
import redis

from devstack.process import ManagedProcess
from devstack.valkey import Valkey
from taskclient.client import TaskClient
from taskclient.letters import BURY_LUA, FAILED, dead_key
from taskclient.message import build_message

WORKER_APP = """
import time
from celery import Celery

app = Celery("demo", broker={broker!r}, backend={results!r})
app.conf.update(task_default_queue="demo", task_track_started=True, worker_hijack_root_logger=False)


class InvalidPayload(Exception):
    pass


@app.task(name="app.tasks.demo.add")
def add(a, b):
    return a + b


@app.task(name="app.tasks.demo.fail")
def fail(text):
    raise KeyError(text, 7)


@app.task(name="app.tasks.demo.sleep")
def sleep(seconds):
    time.sleep(seconds)
    return time.time()


@app.task(name="app.tasks.demo.refuse")
def refuse(**payload):
    errors = [{{"field": name, "problem": "unknown"}} for name in payload]
    raise InvalidPayload("app.tasks.demo.refuse takes no such payload", errors)


@app.task(name="app.tasks.demo.wrapped")
def wrapped():
    import datetime, decimal, uuid
    return [datetime.date(2025, 1, 2), decimal.Decimal("1.50"), uuid.UUID(int=1)]


@app.task(name="app.tasks.demo.request", bind=True)
def request(self):
    return [self.request.correlation_id, self.request.headers["x-correlation-id"]]
"""


@pytest.fixture(scope="session")
def valkey(tmp_path_factory):
    """A server of this library's tests alone: their worker lives as long and would take other tests' messages."""
    with Valkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture
def client(valkey):
    with TaskClient(valkey.url) as client:
        yield client


@pytest.fixture
def broker(valkey):
    with redis.Redis.from_url(valkey.url) as broker:
        yield broker


@pytest.fixture(scope="session")
def worker(valkey, tmp_path_factory):
    """A real Celery worker, ready when it has run its first task."""
    folder = tmp_path_factory.mktemp("worker")
    results = valkey.url[:-1] + "1"
    (folder / "demo_app.py").write_text(WORKER_APP.format(broker=valkey.url, results=results))
    options = ["-P", "solo", "-Q", "demo", "-l", "warning", "--without-gossip", "--without-mingle"]
    argv = [sys.executable, "-m", "celery", "-A", "demo_app", "worker", *options]
    with ManagedProcess("worker", argv, log=folder / "worker.log", cwd=folder) as process:
        with TaskClient(valkey.url) as client:
            assert client.send("app.tasks.demo.add", a=1, b=1).result(timeout=60) == 2
        yield process


BURY = (
    BURY_LUA
    + """
local limits = {tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])}
bury(KEYS[1], ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), limits)
"""
)


@pytest.fixture
def letters_valkey(module_valkey):
    """A server that no worker of another test knows, empty."""
    with module_valkey.client() as client:
        client.flushall()
    return module_valkey


@pytest.fixture
def make_bury():
    """Makes a function that writes a dead letter to a server as a worker does."""
    with ExitStack() as clients:

        def make(server):
            script = clients.enter_context(server.client()).register_script(BURY)

            def write(letter_id, raw=None, *, service="demo", now=1_000_000.0, limits=(1e9, 1e9, 1e12), **fields):
                raw = raw or build_message("app.tasks.demo.add", {"a": letter_id}, queue="demo", task_id=letter_id)
                letter = {"id": letter_id, "reason": FAILED, "task": "app.tasks.demo.add", "list": "demo", **fields}
                script(keys=[dead_key(service)], args=[letter_id, json.dumps(letter), raw, now, *limits])
                return raw

            return write

        yield make


@pytest.fixture
def bury(make_bury, letters_valkey):
    return make_bury(letters_valkey)
