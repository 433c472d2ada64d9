"""Flower: behind a password, read-only, and it sees the workers."""

import base64
import json
import urllib.error
import urllib.request

import pytest

from devstack.process import ManagedProcess, NotReady
from devstack.waiting import wait_for


def ask(stack, path, *, password=None, data=None):
    request = urllib.request.Request(stack.flower_url + path, data=data)
    if password is not None:
        request.add_header("Authorization", "Basic " + base64.b64encode(f"admin:{password}".encode()).decode())
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.mark.parametrize("path", ["/", "/workers", "/tasks", "/broker", "/api/workers", "/api/tasks"])
def test_nothing_without_the_password(stack, path):
    assert ask(stack, path)[0] == 401
    assert ask(stack, path, password="wrong")[0] == 401


def test_metrics_are_behind_the_password_too(stack):
    assert ask(stack, "/metrics")[0] == 401


def test_it_lists_the_worker(stack):
    def names():
        status, body = ask(stack, "/api/workers?refresh=1", password=stack.flower_password)
        return json.loads(body).keys() if status == 200 else ()

    wait_for(lambda: any(name.startswith("email@") for name in names()))


def test_it_only_reads(stack):
    worker = next(iter(json.loads(ask(stack, "/api/workers?refresh=1", password=stack.flower_password)[1])))
    status, _ = ask(stack, f"/api/worker/shutdown/{worker}", password=stack.flower_password, data=b"")
    assert status == 403
    assert stack.services["worker-celery-email"].alive()


def test_a_production_flower_needs_its_own_password(stack, tmp_path):
    flower = stack.services["flower"]
    for password in ("development", ""):
        env = flower.env | {"ENVIRONMENT": "production", "FLOWER_PASSWORD": password}
        command = ["celery", "-A", "app.celery_app", "flower", "--conf=flowerconfig.py"]
        refused = ManagedProcess("flower", command, log=tmp_path / "log", cwd=flower.cwd, env=env, ready=lambda: False)
        with pytest.raises(NotReady, match="FLOWER_PASSWORD"), refused:
            pass
