"""The images, run by docker compose in a project of their own, on ports of their own."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.mailbox import Mailbox
from devstack.ports import free_port
from devstack.services import ROOT
from devstack.waiting import wait_for
from taskclient.client import TaskClient


class Compose:
    def __init__(self, project: str = "worker-celery-test") -> None:
        ports = {name: free_port() for name in ("REDIS_PORT", "POSTGRES_PORT", "MAIL_PORT", "FLOWER_PORT")}
        self.env = {**os.environ, "COMPOSE_PROJECT_NAME": project} | {k: str(v) for k, v in ports.items()}
        self.mailbox = Mailbox(f"http://127.0.0.1:{ports['MAIL_PORT']}")
        self.flower_url = f"http://127.0.0.1:{ports['FLOWER_PORT']}"
        self.broker_url = f"redis://:development@127.0.0.1:{ports['REDIS_PORT']}/0"
        self.network = f"{project}_default"

    def __call__(self, *words: str, check: bool = True, timeout: float = 300) -> str:
        """Run `docker compose ...` and return what it printed."""
        done = subprocess.run(
            ["docker", "compose", *words],
            cwd=ROOT,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def container(self, service: str) -> str:
        """The id of a service's container, also when it is stopped."""
        return self("ps", "--all", "--quiet", service).strip()

    def inspect(self, service: str) -> dict:
        """What Docker knows of a service's container."""
        printed = subprocess.run(
            ["docker", "inspect", self.container(service)], capture_output=True, text=True, check=True
        )
        return json.loads(printed.stdout)[0]

    def probe(self, probe: str) -> int:
        """The exit code of a health probe inside the email worker."""
        words = ["docker", "compose", "exec", "-T", "worker-celery-email", "python", "-m", "workerkit.health", probe]
        return subprocess.run(words, cwd=ROOT, env=self.env, capture_output=True, check=False).returncode

    def wait_ready(self, seconds: float = 60) -> float:
        """Wait until the email worker is ready; the seconds it took."""
        return wait_for(lambda: self.probe("ready") == 0, seconds)


def _docker_answers() -> bool:
    try:
        return subprocess.run(["docker", "info"], capture_output=True, timeout=20, check=False).returncode == 0
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return False


@pytest.fixture(scope="session")
def compose(record_testsuite_property) -> Iterator[Compose]:
    if not _docker_answers():
        if os.environ.get("CI"):
            pytest.fail("there is no Docker engine, and in CI that is a failure")
        pytest.skip("there is no Docker engine")
    stack = Compose()
    stack("down", "--volumes", "--timeout", "5")
    try:
        began = time.monotonic()
        stack("up", "-d", "--wait", timeout=120)
        record_testsuite_property("seconds until healthy", round(time.monotonic() - began, 1))
        yield stack
    finally:
        (Path(ROOT) / ".stack").mkdir(exist_ok=True)
        (Path(ROOT) / ".stack" / "compose.log").write_text(stack("logs", "--no-color", check=False))
        stack("down", "--volumes", "--timeout", "5", check=False)


@pytest.fixture
def other_compose(compose) -> Iterator[Compose]:
    """A second, empty project beside the other one."""
    other = Compose("worker-celery-alone")
    try:
        yield other
    finally:
        other("down", "--volumes", "--timeout", "5", check=False)


@pytest.fixture
def client(compose) -> Iterator[TaskClient]:
    with TaskClient(compose.broker_url) as connected:
        yield connected
