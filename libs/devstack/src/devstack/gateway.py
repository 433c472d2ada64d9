"""The gateway as a process, with API keys of one's own choice."""

import hashlib
import json
import os
import secrets
import subprocess
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from devstack.ports import free_port
from devstack.process import ManagedProcess
from devstack.services import ROOT
from devstack.valkey import Valkey

SERVICE = ROOT / "services" / "gateway"


class GatewayProcess(ManagedProcess):
    """`python -m app.main` on a free port, as in production; ready when its probe says so.

    Args:
        server: broker and result backend.
        folder: gets the log and the file of keys.
        scopes: of each key, by its id.
        rates: requests a second and at once of keys that are to be slowed down.
        settings: more environment variables.
    """

    def __init__(
        self,
        server: Valkey,
        folder: Path,
        *,
        scopes: Mapping[str, Sequence[str]],
        rates: Mapping[str, tuple[float, int]] | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.secrets = {key_id: secrets.token_urlsafe(32) for key_id in scopes}
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        keys = folder / "keys"
        limits = {key_id: (rates or {}).get(key_id, (1e6, 1_000_000)) for key_id in scopes}
        lines = [_line(key_id, self.secrets[key_id], scopes[key_id], *limits[key_id]) for key_id in scopes]
        keys.write_text("\n".join(["# who may come in", *lines]))
        env = {
            **os.environ,
            "ENVIRONMENT": "production",
            "TASK_BROKER_URL": server.url,
            "GATEWAY_ADDRESS": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "GATEWAY_KEYS_FILE": str(keys),
            "LOG_FORMAT": "json",
            **(settings or {}),
        }
        argv = [sys.executable, "-m", "app.main"]
        super().__init__("gateway", argv, log=folder / "gateway.log", cwd=SERVICE, env=env, ready=self.is_healthy)

    def headers(self, key_id: str) -> dict[str, str]:
        """The header that says one of the keys."""
        return {"Authorization": f"Bearer {self.secrets[key_id]}"}

    def is_healthy(self) -> bool:
        """Ask as the probe of the image does, without a process for each question."""
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=5) as answer:  # noqa: S310 - our own http address
                return bool(json.load(answer)["redis"])
        except OSError:
            return False

    def probe(self) -> "subprocess.CompletedProcess[str]":
        """Run the probe of the image."""
        command = [sys.executable, "-m", "app.health"]
        return subprocess.run(command, cwd=SERVICE, env=self.env, check=False, capture_output=True, text=True)


def _line(key_id: str, secret: str, scopes: Sequence[str], per_second: float, burst: int) -> str:
    digest = hashlib.sha256(secret.encode()).hexdigest()
    key = {"id": key_id, "sha256": digest, "scopes": list(scopes), "per_second": per_second, "burst": burst}
    return json.dumps(key)
