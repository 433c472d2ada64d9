"""A real RabbitMQ server: a container, because no Python wheel brings one."""

import base64
import json
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self
from urllib.parse import quote
from uuid import uuid4

from kombu import Connection
from kombu.exceptions import OperationalError

from devstack.ports import free_port
from devstack.waiting import wait_for

IMAGE = "rabbitmq:4-management-alpine"  # as in docker-compose.yml
_PASSWORD = "tests only"  # noqa: S105
_READY_SECONDS = 90.0


def docker_answers() -> bool:
    """Whether there is a Docker engine to run the container."""
    try:
        return subprocess.run(["docker", "info"], capture_output=True, timeout=20, check=False).returncode == 0
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return False


class RabbitMq:
    """A container with RabbitMQ on free ports of loopback; what it holds survives `kill` and `start`."""

    def __init__(self) -> None:
        self._name = f"rabbit-{uuid4().hex[:8]}"
        self._port, self._api_port = free_port(), free_port()

    def __enter__(self) -> Self:
        ports = ["-p", f"127.0.0.1:{self._port}:5672", "-p", f"127.0.0.1:{self._api_port}:15672"]
        user = ["-e", "RABBITMQ_DEFAULT_USER=worker", "-e", f"RABBITMQ_DEFAULT_PASS={_PASSWORD}"]
        try:
            _docker(
                "run", "-d", "--name", self._name, "--hostname", "rabbitmq", "--memory", "512m", *ports, *user, IMAGE
            )
            self.wait_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        _docker("rm", "--force", "--volumes", self._name)

    def kill(self) -> None:
        """End it as a power failure would."""
        _docker("kill", self._name)

    def start(self) -> None:
        """Start it again, with what it had on its disk."""
        _docker("start", self._name)
        self.wait_ready()

    def wait_ready(self) -> None:
        """Wait until it accepts connections."""
        wait_for(self._answers, _READY_SECONDS)

    @contextmanager
    def vhost(self) -> Iterator[str]:
        """The URL of a new, empty virtual host, which is deleted afterwards."""
        name = uuid4().hex[:8]
        self.api("PUT", f"vhosts/{name}")
        try:
            yield self._url(name)
        finally:
            self.api("DELETE", f"vhosts/{name}")

    def queues(self, url: str) -> dict[str, int]:
        """The queues of a virtual host by its URL, but for Celery's own: how many messages wait in each, as of now."""
        with Connection(url) as connection:
            channel: Any = connection.channel()
            names = [queue["name"] for queue in self.api("GET", f"queues/{url.rpartition('/')[2]}")]
            wanted = [name for name in names if "celery" not in name]
            return {name: channel.queue_declare(name, passive=True).message_count for name in wanted}

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the management API."""
        token = base64.b64encode(f"worker:{_PASSWORD}".encode()).decode()
        headers = {"Authorization": f"Basic {token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        url = f"http://127.0.0.1:{self._api_port}/api/{path}"
        request = urllib.request.Request(url, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return json.loads(answer.read() or b"null")

    def _answers(self) -> bool:
        try:
            with Connection(self._url("%2f"), connect_timeout=2) as connection:
                connection.connect()
            return bool(self.api("GET", "overview"))
        except (OperationalError, OSError):
            return False

    def _url(self, vhost: str) -> str:
        return f"amqp://worker:{quote(_PASSWORD)}@127.0.0.1:{self._port}/{vhost}"


def _docker(*words: str) -> None:
    subprocess.run(["docker", *words], check=True, capture_output=True, timeout=120)
