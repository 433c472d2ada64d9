"""The gateway does all it does as its own Redis user, who has no operator's command."""

import re

import httpx
import pytest
import redis

from devstack.gateway import GatewayProcess
from devstack.services import ROOT
from devstack.waiting import wait_for

ORDER = "/tasks/app.tasks.clerk.order"
GOOD = {"customer": "ada@example.com", "lines": [{"item": "tea", "count": 2}]}
PASSWORD = "secret"

pytestmark = pytest.mark.usefixtures("worker")


@pytest.fixture(scope="module")
def user(module_valkey):
    """The gateway's user of deploy/redis, on this server."""
    lines = (ROOT / "deploy" / "redis" / "users.acl").read_text().splitlines()
    rules = next(line.removeprefix("gateway ") for line in lines if line.startswith("gateway "))
    with module_valkey.client() as client:
        client.execute_command("ACL", "SETUSER", "gateway", "on", f">{PASSWORD}", *re.findall(r"\([^)]*\)|\S+", rules))
    return "gateway"


@pytest.fixture(scope="module")
def client(module_valkey, user, tmp_path_factory):
    settings = {
        "TASK_BROKER_URL": f"redis://127.0.0.1:{module_valkey.port}/0",
        "REDIS_USER": user,
        "REDIS_PASSWORD": PASSWORD,
    }
    folder = tmp_path_factory.mktemp("gateway")
    with (
        GatewayProcess(module_valkey, folder, scopes={"all": ["*"]}, settings=settings) as running,
        httpx.Client(base_url=running.url, headers=running.headers("all"), timeout=20) as client,
    ):
        yield client


def done(client, path, body=None, method="POST"):
    answer = client.request(method, path, json=body)
    assert answer.status_code < 300, answer.text
    return answer.json()


def test_all_operations_are_allowed(client):
    order = done(client, ORDER, GOOD)
    wait_for(lambda: client.get(f"/jobs/{order['id']}").json()["result"] == 2)
    assert "SUCCESS" in client.get(f"/jobs/{order['id']}/events").text
    walk = done(client, "/tasks/app.tasks.clerk.walk", {"steps": 6000, "seconds": 0.05})
    wait_for(lambda: walk["id"] in client.get("/jobs?state=running").text)
    assert done(client, f"/jobs/{walk['id']}", method="DELETE")["found"] == "running"
    wait_for(lambda: client.get(f"/jobs/{walk['id']}").json()["status"] == "REVOKED")
    wait_for(lambda: client.get("/overview").json()["problem"] is None)
    dead = done(client, "/tasks/app.tasks.clerk.refuse", {"reason": "no"})["id"]
    wait_for(lambda: client.get(f"/dead-letters/{dead}").status_code == 200)
    done(client, f"/dead-letters/{dead}/replay")
    wait_for(lambda: client.get(f"/dead-letters/{dead}").status_code == 200)
    done(client, f"/dead-letters/{dead}", method="DELETE")
    for change in ("queues/clerk/pause", "queues/clerk/resume", "tickets"):
        done(client, f"/{change}")
    for change in ("pause", "resume", "run"):
        done(client, f"/schedules/clerk:tea/{change}")
    for path in ("/queues", "/workers", "/schedules", "/catalog", "/dead-letters"):
        assert done(client, path, method="GET")
    assert "gateway_redis_up 1.0" in client.get("/metrics").text


@pytest.mark.parametrize("command", ["FLUSHALL", "CONFIG GET *", "KEYS *", "ACL LIST", "SHUTDOWN"])
def test_no_operator_s_command_is(module_valkey, user, command):
    client = redis.Redis(port=module_valkey.port, username=user, password=PASSWORD)
    with client, pytest.raises(redis.exceptions.NoPermissionError):
        client.execute_command(*command.split())
