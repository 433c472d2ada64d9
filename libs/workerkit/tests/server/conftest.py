"""A real worker of the demo service beside this file, on a real Valkey."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devstack.valkey import Valkey
from devstack.worker import WORKER, WorkerProcess
from taskclient.client import TaskClient

DEMO = Path(__file__).parent / "demo"


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
def client(valkey: Valkey) -> Iterator[TaskClient]:
    with TaskClient(valkey.url) as connected:
        yield connected
