"""A test made from a dead letter fails as the task did in its worker, and passes once the service is mended."""

import os
import subprocess
import sys

import pytest

from devstack.waiting import wait_for
from devstack.worker import WorkerProcess
from taskclient.client import TaskClient
from taskclient.dead_letters import LetterFilter
from taskclient.letters import UNREADABLE

CELERY_APP = """
import celeryconfig
from workerkit.app import create_app
from workerkit.settings import WorkerSettings

app = create_app("shop", WorkerSettings(), celeryconfig)
"""
TASKS = '''
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, EmailStr, PositiveInt

from app.celery_app import app
from workerkit.errors import PermanentError


class Line(BaseModel):
    name: str
    price: float
    count: int


@app.task(name="app.tasks.shop.average", max_retries=0)
def average(to: EmailStr, kind: Literal["net", "gross"], lines: list[Line], day: datetime) -> float:
    """The price of one piece."""
    if kind != "gross":
        return 0.0
    return sum(line.price for line in lines) / sum(line.count for line in lines)


@app.task(name="app.tasks.shop.refund", bind=True, max_retries=0)
def refund(self, order: PositiveInt, reason: str) -> str:
    """Refuses some."""
    if len(reason) > 20:
        raise PermanentError(f"{reason!r} is too long")
    return reason
'''
BUG = "/ sum(line.count for line in lines)"
MENDED = "/ (sum(line.count for line in lines) or 1)"


def write_service(folder):
    """A scratch service with a bug."""
    (folder / "app" / "tasks").mkdir(parents=True)
    (folder / "app" / "__init__.py").touch()
    (folder / "app" / "tasks" / "__init__.py").touch()
    (folder / "celeryconfig.py").write_text('task_routes = {"app.tasks.shop.*": "shop"}\n')
    (folder / "app" / "celery_app.py").write_text(CELERY_APP)
    (folder / "app" / "tasks" / "shop.py").write_text(TASKS)
    return folder


@pytest.fixture
def service(tmp_path):
    """A copy of the service, for a test to mend."""
    return write_service(tmp_path / "worker-celery-shop")


@pytest.fixture(scope="module")
def worker(module_valkey, tmp_path_factory):
    folder = tmp_path_factory.mktemp("worker")
    with WorkerProcess(module_valkey, write_service(folder / "source"), "app.celery_app", folder=folder) as process:
        yield process


@pytest.fixture
def client(module_valkey):
    with TaskClient(module_valkey.url, check=False) as client:  # a worker shall refuse it
        yield client


def letter_of(client, task_id):
    found = lambda: [letter for letter in client.dead_letters("shop").list().letters if letter.id == task_id]  # noqa: E731
    wait_for(found)
    return found()[0]


def run_test(service, text):
    (service / "tests").mkdir(exist_ok=True)
    file = service / "tests" / "test_dead_letter.py"
    file.write_text(text)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("TASK_")}
    options = ["-q", "-p", "no:cacheprovider", "-W", "error", "--rootdir", str(service), "-c", os.devnull]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(file)],
        cwd=service,
        env=environment,
        capture_output=True,
        check=False,
        text=True,
        timeout=120,
    )


def mend(service, before, after):
    file = service / "app" / "tasks" / "shop.py"
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after))


def test_a_bug(client, worker, service):
    payload = {
        "to": "ada@lovelace.example.org",
        "kind": "gross",
        "lines": [{"name": "Geheimnis", "price": 2.5, "count": 0}],
        "day": "1815-12-10T12:00:00Z",
    }
    letter = letter_of(client, client.send_payload("app.tasks.shop.average", payload).id)
    assert (letter.reason, letter.error) == ("failed", "ZeroDivisionError: float division by zero")

    text = client.dead_letters().write_test(letter.id)
    before = run_test(service, text)
    mend(service, BUG, MENDED)
    after = run_test(service, text)

    assert not [secret for secret in ("lovelace", "Geheimnis", "1815") if secret in text]
    assert "kwargs.to, kwargs.lines.0.name, kwargs.day" in text
    assert (before.returncode, "ZeroDivisionError" in before.stdout) == (1, True), before.stdout
    assert after.returncode == 0, after.stdout


def test_a_payload_that_the_contract_refuses(client, worker, service):
    letter = letter_of(client, client.send("app.tasks.shop.refund", order=-1, reason="x", colour="red").id)
    assert letter.reason == "refused"

    text = client.dead_letters().write_test(letter.id)
    before = run_test(service, text)
    mend(service, "order: PositiveInt, reason: str", 'order: int, reason: str, colour: str = ""')
    after = run_test(service, text)

    assert (before.returncode, "InvalidPayload" in before.stdout) == (1, True), before.stdout
    assert after.returncode == 0, after.stdout


def test_an_error_whose_words_quote_the_payload(client, worker, service):
    letter = letter_of(client, client.send("app.tasks.shop.refund", order=1, reason="Ada does not like it any more").id)

    text = client.dead_letters().write_test(letter.id)
    before = run_test(service, text)
    with_payload = client.dead_letters().write_test(letter.id, payload=True)

    assert "Ada" in letter.error
    assert "Ada" not in text
    assert "Ada does not like it any more" in with_payload
    assert (before.returncode, "PermanentError" in before.stdout) == (1, True), before.stdout
    assert "PermanentError" in run_test(service, with_payload).stdout


def test_a_message_that_cannot_be_read(client, worker, service, module_valkey):
    unreadable = LetterFilter(reason=UNREADABLE)
    with module_valkey.client() as server:
        server.lpush("shop", '{"body": "W1tdLCB7fSwge31d", "headers": {"task": "app.tasks.shop.refund", "id": "7"}}')
    wait_for(lambda: client.dead_letters().count(unreadable) == 1)
    [letter] = client.dead_letters().list(unreadable).letters

    for payload in (False, True):
        done = run_test(service, client.dead_letters().write_test(letter.id, payload=payload))
        assert (done.returncode, "Unreadable" in done.stdout) == (1, True), done.stdout


def test_a_replayed_letter_ends_well_once_the_service_is_mended(valkey, service, tmp_path):
    payload = {"to": "a@example.com", "kind": "gross", "lines": [], "day": "2025-01-01T00:00:00Z"}
    with TaskClient(valkey.url) as client:
        with WorkerProcess(valkey, service, "app.celery_app", folder=tmp_path):
            handle = client.send_payload("app.tasks.shop.average", payload)
            letter_of(client, handle.id)
            assert handle.status() == "FAILURE"
        mend(service, BUG, MENDED)
        client.dead_letters("shop").replay(handle.id)

        with WorkerProcess(valkey, service, "app.celery_app", folder=tmp_path):
            wait_for(lambda: handle.status() == "SUCCESS", seconds=60)

        assert handle.result() == 0.0
        assert client.dead_letters("shop").count() == 0
