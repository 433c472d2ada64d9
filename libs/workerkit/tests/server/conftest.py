"""Real workers of the services beside this file, on a real Valkey."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devstack.valkey import Valkey
from devstack.worker import WORKER, WorkerProcess
from taskclient.client import TaskClient

HERE = Path(__file__).parent
DEMO = HERE / "demo"


@pytest.fixture
def start_demo(tmp_path: Path) -> Iterator[Callable[..., WorkerProcess]]:
    started: list[WorkerProcess] = []

    def start(server: Valkey, *arguments: str, wait: bool = True, **settings: str) -> WorkerProcess:
        options = {"folder": tmp_path, "arguments": arguments or WORKER, "settings": settings}
        process = WorkerProcess(server, DEMO, "demo_app", **options)
        started.append(process)
        process.start()
        if wait:
            process.wait_ready()
        return process

    yield start
    for process in started:
        process.stop()


@pytest.fixture
def start_worker(tmp_path: Path) -> Iterator[Callable[..., WorkerProcess]]:
    """Starts several workers of a service; all of them leave their traces in one folder."""
    started: list[WorkerProcess] = []
    traces = tmp_path / "traces"
    traces.mkdir()

    def start(server: Valkey, service: str, *arguments: str, ready: bool = True, **settings: str) -> WorkerProcess:
        folder = tmp_path / str(len(started))
        folder.mkdir()
        worker = WorkerProcess(
            server,
            HERE / service,
            f"{service}_app",
            folder=folder,
            arguments=(*WORKER, *arguments),
            settings={"TRACES": str(traces), **settings},
        )
        worker.traces = traces
        started.append(worker)
        worker.start()
        if ready:
            worker.wait_ready()
        return worker

    yield start
    for worker in started:
        if worker.alive():
            os.kill(worker.pid, signal.SIGCONT)  # a test may have stopped it
        worker.stop()


@pytest.fixture
def client(valkey: Valkey) -> Iterator[TaskClient]:
    # Unchecked, because many of these tests are about what a worker does with what no client should send.
    with TaskClient(valkey.url, check=False) as connected:
        yield connected
