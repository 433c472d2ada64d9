"""Real workers of the services beside this file, on a real Valkey."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devstack.valkey import Valkey
from devstack.worker import WORKER, WorkerProcess
from taskclient.client import TaskClient

HERE = Path(__file__).parent
DEMO = HERE / "demo"
Start = Callable[..., WorkerProcess]


@pytest.fixture
def start_demo(tmp_path: Path, run_worker: Start) -> Start:
    def start(server: Valkey, *arguments: str, wait: bool = True, **settings: str) -> WorkerProcess:
        options = {"folder": tmp_path, "arguments": arguments or WORKER, "settings": settings}
        return run_worker(WorkerProcess(server, DEMO, "demo_app", **options), ready=wait)

    return start


@pytest.fixture
def start_worker(tmp_path: Path, run_worker: Start) -> Start:
    """Starts several workers of a service; all of them leave their traces in one folder."""
    numbers = itertools.count()
    traces = tmp_path / "traces"
    traces.mkdir()

    def start(server: Valkey, service: str, *arguments: str, ready: bool = True, **settings: str) -> WorkerProcess:
        folder = tmp_path / str(next(numbers))
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
        return run_worker(worker, ready=ready)

    return start


@pytest.fixture
def client(valkey: Valkey) -> Iterator[TaskClient]:
    # Unchecked, because many of these tests are about what a worker does with what no client should send.
    with TaskClient(valkey.url, check=False) as connected:
        yield connected
