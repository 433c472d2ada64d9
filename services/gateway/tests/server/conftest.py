"""A real gateway as a process, with a real worker behind it, on a real Valkey."""

from pathlib import Path

import httpx
import pytest

from devstack.gateway import GatewayProcess
from devstack.worker import WorkerProcess
from taskclient.client import TaskClient

HERE = Path(__file__).parent
SCOPES = {
    "all": ["*"],
    "orders": ["send:app.tasks.clerk.order", "read:app.tasks.clerk.order"],
    "reader": ["read"],
    "sender": ["send"],
    "replayer": ["read", "replay:app.tasks.clerk.*"],
    "discarder": ["read", "discard"],
    "canceller": ["read", "cancel:app.tasks.clerk.walk"],
    "slow": ["read"],
}


@pytest.fixture(scope="module")
def gateway(module_valkey, tmp_path_factory):
    folder = tmp_path_factory.mktemp("gateway")
    with GatewayProcess(module_valkey, folder, scopes=SCOPES, rates={"slow": (0.01, 3)}) as running:
        yield running


@pytest.fixture(scope="module")
def worker(module_valkey, tmp_path_factory):
    folder = tmp_path_factory.mktemp("worker")
    with WorkerProcess(module_valkey, HERE / "clerk", "clerk_app", folder=folder) as running:
        yield running


@pytest.fixture(scope="module")
def as_(gateway):
    """Gives a client with one of the keys."""
    clients = {
        key_id: httpx.Client(base_url=gateway.url, headers=gateway.headers(key_id), timeout=20) for key_id in SCOPES
    }
    yield clients.get
    for client in clients.values():
        client.close()


@pytest.fixture(scope="module")
def everyone(as_):
    """A client that may do everything."""
    return as_("all")


@pytest.fixture(scope="module")
def task_client(module_valkey):
    with TaskClient(module_valkey.url) as client:
        yield client
