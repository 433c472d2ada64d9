"""Which workers there are and what they hold, for programs and on the command line."""

import json
import time

import pytest
from typer.testing import CliRunner

from taskclient.cli_app import app
from taskclient.client import TaskClient


@pytest.fixture
def server(letters_valkey):
    with letters_valkey.client() as server:
        yield server


@pytest.fixture
def client(letters_valkey):
    with TaskClient(letters_valkey.url) as client:
        yield client


@pytest.fixture
def listed(letters_valkey):
    def run(*words):
        environment = {"TASK_BROKER_URL": letters_valkey.url, "COLUMNS": "200"}
        return CliRunner().invoke(app, ["workers", *words], env=environment, catch_exceptions=False)

    return run


@pytest.fixture
def three(server):
    """A busy worker and an idle one of a service, and a dead one of another."""
    now = time.time() * 1000
    server.sadd("workerkit:services", "email", "etl", "unused")
    server.zadd("worker:email:holders", {"a1b2:7:0000aaaa": now + 15_000, "c3d4:8:0000bbbb": now + 15_000})
    server.zadd("worker:etl:holders", {"pod:with:colons:1:0000cccc": now - 60_000})
    server.hset("worker:email:inflight:a1b2:7:0000aaaa", mapping={"1": "email\nx", "2": "email\ny"})
    server.hset("worker:etl:inflight:pod:with:colons:1:0000cccc", "9", "etl\nz")


@pytest.mark.usefixtures("three")
def test_the_idle_ones_of_a_service_come_first(client):
    idle, busy = client.workers("email")
    assert (idle.host, idle.pid, idle.held, idle.service) == ("c3d4", 8, 0, "email")
    assert (busy.host, busy.pid, busy.held, busy.id) == ("a1b2", 7, 2, "a1b2:7:0000aaaa")
    assert 0 < idle.lease_seconds <= 15


@pytest.mark.usefixtures("three")
def test_all_services_and_a_dead_worker(client, listed):
    dead = client.workers()[-1]
    assert [worker.service for worker in client.workers()] == ["email", "email", "etl"]
    assert (dead.host, dead.pid, dead.held) == ("pod:with:colons", 1, 1)
    assert -120 < dead.lease_seconds < -50
    lines = [line for line in listed().stdout.splitlines() if "│" in line]
    assert [("alive" in line, "about to go back" in line) for line in lines] == [(True, False)] * 2 + [(False, True)]
    assert [worker["held"] for worker in json.loads(listed("--service", "email", "--json").stdout)] == [0, 2]


def test_no_worker(listed):
    assert listed().stderr == "No worker is at work on this Redis.\n"
    assert json.loads(listed("--json").stdout) == []
