"""What `docker compose up` gives: mails by name, hardened containers, and a worker that outlives trouble."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
import yaml

from devstack.services import ROOT, discover
from devstack.waiting import wait_for
from taskclient.client import TaskClient
from workerkit.defaults import DRAIN_SECONDS

SEND = "app.tasks.email.send_email"
EMAIL = "worker-celery-email"
COROUTINES = 20  # `worker_coroutines` of the email worker, which has one process
PLAIN = """
from celery import Celery
Celery(broker="redis://:development@redis:6379/0").send_task(
    "app.tasks.email.send_email",
    kwargs={"to": "container@example.com", "subject": "Hi", "body": "From a container with nothing but Celery"},
    queue="email",
)
"""


@pytest.fixture(scope="session")
def plain_image():
    """An image that holds nothing but celery[redis], of the version in our lock."""
    lock = (ROOT / "services" / EMAIL / "requirements.txt").read_text()
    version = next(line for line in lock.splitlines() if line.startswith("celery==")).split()[0]
    requirement = version.replace("celery", "celery[redis]")
    dockerfile = f"FROM python:3.13-slim\nRUN pip install --quiet --no-cache-dir '{requirement}'\n"
    subprocess.run(["docker", "build", "-q", "-t", "plain-celery", "-"], input=dockerfile, text=True, check=True)
    return "plain-celery"


def test_every_service_is_in_the_compose_file(compose):
    assert {service.name for service in discover()} <= set(compose("config", "--services").split())


def test_a_container_with_nothing_but_celery_sends_a_mail(compose, plain_image):
    words = ["docker", "run", "--rm", "--network", compose.network, plain_image, "python", "-c", PLAIN]
    subprocess.run(words, check=True, timeout=60)
    assert compose.mailbox.wait("container@example.com")


def test_the_tasks_command_sends_a_mail(compose):
    tasks = Path(sys.executable).with_name("tasks")
    words = ["send", SEND, "to=command@example.com", "subject=Hello", "body=Hi", "--wait", "20"]
    env = {**os.environ, "TASK_BROKER_URL": compose.broker_url}
    done = subprocess.run([tasks, *words], env=env, capture_output=True, text=True, timeout=60, check=True)
    assert "command@example.com" in done.stdout
    assert compose.mailbox.wait("command@example.com")


@pytest.mark.parametrize("service", ["redis", "postgres", "mail", *(service.name for service in discover())])
def test_containers_are_hardened(compose, service):
    about = compose.inspect(service)
    one_shot = service in {found.name for found in discover() if found.probe is None}
    host = about["HostConfig"]
    user, _, group = about["Config"]["User"].partition(":")
    assert int(user) > 0
    assert int(group) > 0
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert host["Memory"] > 0
    assert about["State"]["ExitCode"] == 0 if one_shot else about["State"]["Health"]["Status"] == "healthy"
    bound = [b["HostIp"] for bindings in (host["PortBindings"] or {}).values() for b in bindings]
    assert set(bound) <= {"127.0.0.1"}


def test_every_service_is_its_own_user_of_redis_and_was_refused_nothing(compose):
    def ask(*command):
        return compose("exec", "-T", "redis", "redis-cli", "--no-auth-warning", *command)

    services = {service.name.removeprefix("worker-celery-") for service in discover() if service.uses_redis}
    assert set(re.findall(r" user=(\S+)", ask("client", "list"))) == services | {"default"}
    assert ask("acl", "log").strip() == ""


def test_the_gateway_sends_a_mail(compose):
    body = json.dumps({"to": "http@example.com", "subject": "Hello", "body": "By HTTP"}).encode()
    headers = {"Authorization": "Bearer development", "Content-Type": "application/json"}
    url = f"{compose.gateway_url}/tasks/{SEND}"
    with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=20) as answer:
        assert answer.status == 202
    assert compose.mailbox.wait("http@example.com")


def test_images_say_what_they_are(compose):
    labels = compose.inspect(EMAIL)["Config"]["Labels"]
    assert labels["org.opencontainers.image.title"] == EMAIL
    assert labels["org.opencontainers.image.version"]
    assert labels["org.opencontainers.image.revision"]


@pytest.mark.parametrize("module", ["sqlalchemy", "pytest", "pip", "typer", "devstack", "flower", "matplotlib"])
def test_the_email_image_holds_only_what_it_needs(compose, module):
    code = f"import importlib.util, sys; sys.exit(importlib.util.find_spec('{module}') is not None)"
    compose("exec", "-T", EMAIL, "/opt/venv/bin/python", "-c", code)


@pytest.mark.parametrize("service", [service.name for service in discover() if service.name.startswith("worker-")])
def test_stop_grace_is_longer_than_draining(service):
    base = yaml.safe_load((ROOT / "services" / "compose.base.yml").read_text())["services"]["service"]
    assert float(base["stop_grace_period"].rstrip("s")) > DRAIN_SECONDS + 5


@pytest.mark.parametrize("probe", ["live", "ready"])
def test_a_probe_costs_little(compose, probe):
    code = (
        "import os, subprocess, sys; a = os.times();"
        f"subprocess.run([sys.executable, '-m', 'workerkit.health', '{probe}'], check=True, stdout=-3);"
        "b = os.times(); print(b.children_user + b.children_system - a.children_user - a.children_system)"
    )
    assert float(compose("exec", "-T", EMAIL, "python", "-c", code)) < 0.1


def test_redis_stopped_makes_it_not_ready_but_live_and_it_comes_back_by_itself(compose, client, record_property):
    started = compose.inspect(EMAIL)["State"]["StartedAt"]
    compose("stop", "redis")
    wait_for(lambda: compose.probe("ready") == 1, 20)
    assert compose.probe("live") == 0
    time.sleep(10)
    assert compose.probe("live") == 0
    compose("start", "redis")
    record_property("seconds until ready", round(compose.wait_ready(15), 1))
    client.send(SEND, to="after@example.com", subject="Hi", body="x").result(60)
    state = compose.inspect(EMAIL)["State"]
    assert (state["StartedAt"], compose.inspect(EMAIL)["RestartCount"]) == (started, 0)


def test_stop_puts_back_what_runs_and_loses_nothing(compose, client, record_property):
    slow = ("-f", "docker-compose.yml", "-f", "tests/compose/slow.override.yml")
    compose(*slow, "up", "-d", "--wait", EMAIL)
    running = [client.send("app.tasks.email.slow", seconds=15) for _ in range(COROUTINES)]
    queued = [client.send(SEND, to="queued@example.com", subject=f"{n}", body="x") for n in range(20)]
    time.sleep(3)
    began = time.monotonic()
    compose("stop", EMAIL)
    record_property("seconds to stop", round(time.monotonic() - began, 1))
    assert time.monotonic() - began < 25
    assert compose.inspect(EMAIL)["State"]["ExitCode"] == 0
    waiting = compose("exec", "-T", "redis", "redis-cli", "--no-auth-warning", "llen", "email")
    assert int(waiting) == len(running) + len(queued)
    compose(*slow, "up", "-d", "--wait", EMAIL)
    assert [handle.result(60) for handle in running] == [15] * COROUTINES
    for handle in queued:
        handle.result(60)
    assert len(compose.mailbox.mails("queued@example.com")) == 20
    compose("up", "-d", "--wait", EMAIL)


WORKERS = [service for service in discover() if service.name.startswith("worker-")]


@pytest.mark.parametrize("service", WORKERS, ids=lambda service: service.name)
def test_a_worker_runs_with_its_own_image_and_what_it_stands_on(other_compose, service):
    other_compose("up", "-d", "--wait", service.name, timeout=120)
    stands_on = {"redis", "postgres", "migrate"} if service.uses_database else {"redis"}
    assert set(other_compose("ps", "--all", "--services").split()) == {service.name} | stands_on
    with TaskClient(other_compose.broker_url) as client:
        assert {entry.service for entry in client.catalog()} == {service.name.removeprefix("worker-celery-")}
