"""`make scale` on real containers: idle ones go first, busy ones finish."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from devstack.compose import Compose
from devstack.services import ROOT
from devstack.waiting import wait_for

EMAIL = "worker-celery-email"
SLOW = "docker-compose.yml:tests/compose/slow.override.yml"


@pytest.fixture
def slow(compose: Compose) -> Iterator[Compose]:
    """The email worker with a slow task; afterwards there is one of it, without."""
    try:
        compose.env["COMPOSE_FILE"] = SLOW
        compose("up", "--detach", "--wait", EMAIL)
        yield compose
    finally:
        del compose.env["COMPOSE_FILE"]
        compose("up", "--detach", "--wait", EMAIL)


def scale(compose, workers):
    words = [sys.executable, "scripts/scale.py", EMAIL, str(workers)]
    done = subprocess.run(words, cwd=ROOT, env=compose.env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_idle_workers_go_first_and_a_busy_one_finishes(slow, client):
    assert "3 running" in scale(slow, 3)
    task = client.send("app.tasks.email.slow", seconds=20)
    wait_for(lambda: sum(worker.held for worker in client.workers("email")) == 1, 10)
    busy = next(worker.host for worker in client.workers("email") if worker.held)
    assert "1 running" in scale(slow, 1)
    (left,) = slow.containers(EMAIL)
    assert left.startswith(busy)
    assert task.status() != "SUCCESS"
    assert "0 running" in scale(slow, 0)
    assert task.result(1) == 20, "it had finished before its worker left"
    assert slow.containers(EMAIL) == []
