"""The images with RabbitMQ as broker: mails by name, beat, Flower, remote control, dead letters, and what is killed."""

import base64
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from devstack.compose import Compose
from devstack.services import ROOT
from devstack.waiting import wait_for
from taskclient.client import TaskClient

SEND, NOTIFY = "app.tasks.email.send_email", "app.tasks.email.send_notification"
EMAIL, MAINTENANCE = "worker-celery-email", "worker-celery-maintenance"
SERVICES = ("mail", "beat", "flower", EMAIL, MAINTENANCE)  # and what they stand on
RABBITMQ = {"COMPOSE_PROFILES": "rabbitmq", "WORKER_BROKER_URL": "amqp://worker@rabbitmq:5672//"}
CALL = """INSERT INTO outbox (id, name, queue, payload)
VALUES ('{id}', 'app.tasks.email.send_email', 'email', '{{"to": "{to}", "subject": "Hi", "body": "x"}}')"""


@pytest.fixture(scope="module")
def compose(engine, record_testsuite_property) -> Iterator[Compose]:
    stack = Compose("worker-celery-rabbitmq-test", RABBITMQ)
    stack("down", "--volumes", "--timeout", "5")
    try:
        took = wait_for(lambda: bool(stack("up", "-d", "--wait", *SERVICES, timeout=180)) or True)
        record_testsuite_property("seconds until healthy with RabbitMQ", round(took, 1))
        yield stack
    finally:
        (ROOT / ".stack").mkdir(exist_ok=True)
        (ROOT / ".stack" / "compose-rabbitmq.log").write_text(stack("logs", "--no-color", check=False))
        stack("down", "--volumes", "--timeout", "2", check=False)


@pytest.fixture
def client(compose) -> Iterator[TaskClient]:
    with TaskClient(compose.rabbitmq_url, redis_url=compose.redis_url) as connected:
        yield connected


def test_a_mail_is_sent_by_name(compose, client):
    receipt = client.send(SEND, to="ada@example.com", subject="Hello", body="Hi").result(60)
    assert receipt["recipients"] == ["ada@example.com"]
    assert compose.mailbox.wait("ada@example.com")


def test_beat_has_a_worker_send_what_waits_in_the_outbox(compose):
    commit_call(compose, "outbox@example.com")
    assert compose.mailbox.wait("outbox@example.com")  # beat's tick is every 10 s


def test_flower_shows_the_workers_and_what_they_did(compose, client):
    sent = client.send(SEND, to="flower@example.com", subject="Hello", body="Hi")
    sent.result(60)
    wait_for(lambda: ask_flower(compose, f"task/info/{sent.id}").get("state") == "SUCCESS")
    workers = {name.partition("@")[0] for name in ask_flower(compose, "workers?status=1")}
    assert workers == {"email", "maintenance"}


def test_remote_control_reaches_every_worker(compose):
    said = compose("exec", "-T", EMAIL, "celery", "-A", "app.celery_app", "inspect", "ping", "--timeout=5", "--json")
    pongs = json.loads(said.partition("\n")[0])
    answers = {name.partition("@")[0]: answer["ok"] for name, answer in pongs.items()}
    assert answers == {"email": "pong", "maintenance": "pong"}


def test_a_failed_task_is_listed_and_replayed_by_the_tasks_command(compose, client):
    sent = client.send(NOTIFY, channel="nobody", message="x")
    wait_for(lambda: bool(letters(compose)))
    (letter,) = letters(compose)
    assert (letter["id"], letter["task"], letter["reason"], letter["attempts"]) == (sent.id, NOTIFY, "failed", 1)
    assert "nobody" in letter["error"]
    assert tasks(compose, "dead", "replay", sent.id).split() == [sent.id]
    wait_for(lambda: [letter["attempts"] for letter in letters(compose)] == [2])
    assert tasks(compose, "dead", "discard", sent.id).split() == [sent.id]
    assert letters(compose) == []


def test_a_worker_killed_under_load_loses_no_mail(compose, client, record_property):
    subjects = [f"{n}" for n in range(150)]
    sent = [client.send(SEND, to="load@example.com", subject=subject, body="x") for subject in subjects]
    compose.mailbox.wait("load@example.com", 10)
    compose("kill", EMAIL)
    before = len(compose.mailbox.mails("load@example.com"))
    assert before < len(sent)
    compose("start", EMAIL)
    for handle in sent:
        handle.result(60)
    mails = Counter(mail["subject"] for mail in compose.mailbox.mails("load@example.com"))
    assert mails.keys() == set(subjects)
    assert mails.total() <= len(sent) + 2  # what it had just given to the mail server
    assert client.dead_letters().count() == 0
    record_property("mails before and after the kill", [before, mails.total() - before])


def test_all_go_on_after_rabbitmq_was_killed(compose, client):
    workers = [compose.inspect(service)["State"]["StartedAt"] for service in (EMAIL, MAINTENANCE, "flower")]
    compose("kill", "rabbitmq")
    wait_for(lambda: compose.probe("ready") == 1, 20)
    assert compose.probe("live") == 0
    commit_call(compose, "waits@example.com")
    compose("up", "-d", "--wait", "rabbitmq")
    sent = client.send(SEND, to="back@example.com", subject="Hello", body="Hi")
    assert sent.result(60)["recipients"] == ["back@example.com"]
    assert compose.mailbox.wait("waits@example.com", timeout=30)
    wait_for(lambda: ask_flower(compose, f"task/info/{sent.id}").get("state") == "SUCCESS", 20)
    assert [compose.inspect(each)["State"]["StartedAt"] for each in (EMAIL, MAINTENANCE, "flower")] == workers


def test_redis_refused_nothing(compose):
    assert compose("exec", "-T", "redis", "redis-cli", "--no-auth-warning", "acl", "log").strip() == ""


def test_its_container_is_hardened(compose):
    about = compose.inspect("rabbitmq")
    host = about["HostConfig"]
    assert not about["Config"]["User"].startswith("0")
    assert (host["ReadonlyRootfs"], host["CapDrop"]) == (True, ["ALL"])
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert {b["HostIp"] for bindings in host["PortBindings"].values() for b in bindings} == {"127.0.0.1"}


def commit_call(compose: Compose, to: str) -> None:
    """Write a call into the outbox, as a program does together with its own rows."""
    sql = CALL.format(id=uuid4(), to=to)
    compose("exec", "-T", "postgres", "psql", "--username=worker", "--quiet", "--command", sql)


def ask_flower(compose: Compose, path: str) -> dict:
    token = base64.b64encode(b"admin:development").decode()
    request = urllib.request.Request(f"{compose.flower_url}/api/{path}", headers={"Authorization": f"Basic {token}"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code != 404:  # which means that Flower has not seen the task yet
            raise
        return {}


def tasks(compose: Compose, *words: str) -> str:
    """Run the command `tasks` as an operator does, with the passwords in variables of their own."""
    address = {"TASK_BROKER_URL": compose.rabbitmq_url, "TASK_REDIS_URL": compose.redis_url}
    bare = {name: url.replace(":development@", "@") for name, url in address.items()}
    env = {**os.environ, **bare, "RABBITMQ_PASSWORD": "development", "REDIS_PASSWORD": "development"}
    command = [Path(sys.executable).with_name("tasks"), *words]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=True).stdout


def letters(compose: Compose) -> list[dict]:
    return json.loads(tasks(compose, "dead", "list", "--json"))["letters"]
