"""A real gateway as a process, with a real worker behind it, on a real Valkey."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from app.keys import new_key
from devstack.ports import free_port
from devstack.process import ManagedProcess
from devstack.worker import WorkerProcess
from taskclient.client import TaskClient

HERE = Path(__file__).parent
SERVICE = HERE.parents[1]
SCOPES = {
    "all": ["*"],
    "orders": ["send:app.tasks.clerk.order", "read:app.tasks.clerk.order"],
    "reader": ["read"],
    "sender": ["send"],
    "replayer": ["read", "replay:app.tasks.clerk.*"],
    "discarder": ["read", "discard"],
}


class Gateway(ManagedProcess):
    """`python -m app.main` on a free port, with keys of the ids and scopes in SCOPES.

    Args:
        server: the Valkey server.
        folder: gets the log and the keys.
        settings: more environment variables.
    """

    def __init__(self, server, folder, **settings):
        made = {key_id: new_key(key_id, scopes, 100_000, 100_000) for key_id, scopes in SCOPES.items()}
        made["slow"] = new_key("slow", ["read"], 0.01, 3)
        self.secrets = {key_id: secret for key_id, (secret, _) in made.items()}
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        keys = folder / "keys"
        keys.write_text("# who may come in\n" + "\n".join(line for _, line in made.values()))
        env = {
            **os.environ,
            "ENVIRONMENT": "production",
            "TASK_BROKER_URL": server.url,
            "GATEWAY_ADDRESS": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "GATEWAY_KEYS_FILE": str(keys),
            "LOG_FORMAT": "json",
            **settings,
        }
        argv = [sys.executable, "-m", "app.main"]
        super().__init__("gateway", argv, log=folder / "gateway.log", cwd=SERVICE, env=env, ready=self.healthy)

    def healthy(self):
        """Ask as the probe of the image does."""
        return self.probe().returncode == 0

    def probe(self):
        command = [sys.executable, "-m", "app.health"]
        return subprocess.run(command, cwd=SERVICE, env=self.env, check=False, capture_output=True, text=True)

    def as_(self, key_id, **options):
        """A client with one of the keys."""
        headers = {"Authorization": f"Bearer {self.secrets[key_id]}"} | options.pop("headers", {})
        return httpx.Client(base_url=self.url, headers=headers, timeout=20, **options)


@pytest.fixture(scope="module")
def gateway(module_valkey, tmp_path_factory):
    with Gateway(module_valkey, tmp_path_factory.mktemp("gateway")) as running:
        yield running


@pytest.fixture(scope="module")
def worker(module_valkey, tmp_path_factory):
    folder = tmp_path_factory.mktemp("worker")
    with WorkerProcess(module_valkey, HERE / "clerk", "clerk_app", folder=folder) as running:
        yield running


@pytest.fixture(scope="module")
def everyone(gateway):
    """A client that may do everything."""
    with gateway.as_("all") as client:
        yield client


@pytest.fixture(scope="module")
def task_client(module_valkey):
    with TaskClient(module_valkey.url) as client:
        yield client
