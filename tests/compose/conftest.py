"""The images, run by docker compose in a project of their own, on ports of their own."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.compose import Compose
from devstack.rabbitmq import docker_answers
from devstack.services import ROOT
from taskclient.client import TaskClient


@pytest.fixture(scope="session")
def compose(record_testsuite_property) -> Iterator[Compose]:
    if not docker_answers():
        if os.environ.get("CI"):
            pytest.fail("there is no Docker engine, and in CI that is a failure")
        pytest.skip("there is no Docker engine")
    stack = Compose("worker-celery-test")
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
