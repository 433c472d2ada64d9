"""A real RabbitMQ, a real Valkey beside it, and real workers of workerkit's demo service."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from kombu import Connection

from devstack.rabbitmq import RabbitMq, docker_answers
from devstack.services import ROOT
from devstack.valkey import Valkey
from devstack.worker import WORKER, WorkerProcess
from taskclient.client import TaskClient

DEMO = ROOT / "libs/workerkit/tests/server/demo"


@dataclass
class Stage:
    """One empty virtual host, one empty Valkey, and the workers on them."""

    server: RabbitMq
    url: str
    valkey: Valkey
    source: Path
    folder: Path
    workers: list[WorkerProcess] = field(default_factory=list)

    def start(self, *arguments: str, source: Path | None = None, **settings: str) -> WorkerProcess:
        folder = self.folder / str(len(self.workers))
        folder.mkdir()
        environment = {
            "TASK_BROKER_URL": self.url,
            "TASK_REDIS_URL": self.valkey.url,
            "TRACES": str(self.folder / "traces"),
            **settings,
        }
        process = WorkerProcess(
            self.valkey,
            source or self.source,
            "demo_app",
            folder=folder,
            arguments=arguments or WORKER,
            settings=environment,
        )
        process.traces = self.folder / "traces"  # one folder for all workers of a test
        process.traces.mkdir(exist_ok=True)
        self.workers.append(process)
        process.start()
        process.wait_ready()
        return process

    def end(self, name: str) -> None:
        """Let the task `hold` of that name end."""
        (self.folder / "traces" / f"{name}.end").touch()

    def client(self) -> TaskClient:
        return TaskClient(self.url, redis_url=self.valkey.url, check=False)  # workers are shown unknown tasks, too

    def queues(self) -> dict[str, int]:
        return self.server.queues(self.url)

    def celery(self, **options: Any) -> Any:
        """What a program has that knows nothing of this repository."""
        return Celery(broker=self.url, backend=self.valkey.url.replace("/0", "/1"), set_as_current=False, **options)


@pytest.fixture(scope="session")
def engine() -> None:
    if not docker_answers():
        if os.environ.get("CI"):
            pytest.fail("there is no Docker engine to run RabbitMQ, and in CI that is a failure")
        pytest.skip("there is no Docker engine to run RabbitMQ")


@pytest.fixture(scope="session")
def rabbitmq(engine: None) -> Iterator[RabbitMq]:
    with RabbitMq() as server:
        yield server


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo service with the tasks of `more_tasks.py`."""
    folder = tmp_path_factory.mktemp("source") / "demo"
    shutil.copytree(DEMO, folder)
    shutil.copy(Path(__file__).with_name("more_tasks.py"), folder / "demo_tasks")
    return folder


@pytest.fixture
def stage(rabbitmq: RabbitMq, valkey: Valkey, source: Path, tmp_path: Path) -> Iterator[Stage]:
    with rabbitmq.vhost() as url:
        stage = Stage(rabbitmq, url, valkey, source, tmp_path)
        try:
            yield stage
        finally:
            for worker in stage.workers:
                worker.kill()  # stopping takes seconds; the tests of SIGTERM wait for it


@pytest.fixture
def worker(stage: Stage) -> WorkerProcess:
    return stage.start()


@pytest.fixture
def client(stage: Stage) -> Iterator[TaskClient]:
    with stage.client() as connected:
        yield connected


@pytest.fixture
def raw_channel(stage: Stage) -> Iterator[Any]:
    with Connection(stage.url, transport_options={"confirm_publish": True}) as connection:
        yield connection.channel()
