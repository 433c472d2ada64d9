"""`docker compose` in a project of its own, on ports of its own, beside whatever else runs on the machine."""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from devstack.mailbox import Mailbox
from devstack.ports import free_port
from devstack.services import ROOT
from devstack.waiting import wait_for

_PASSWORD = "development"  # noqa: S105 - docker-compose.yml's own, where nothing else is set


def docker(
    *words: str, check: bool = True, timeout: float = 300, env: Mapping[str, str] | None = None, both: bool = False
) -> str:
    """Run `docker ...` in the repository's root, in a session of its own: Ctrl-C reaches it only through us.

    Args:
        words: what follows `docker`.
        check: whether another exit code than 0 is an error.
        timeout: seconds.
        env: its whole environment; default: ours.
        both: whether what it wrote to standard error counts, too.

    Returns:
        What it printed.

    Raises:
        RuntimeError: it failed; the message holds what it printed.
        subprocess.TimeoutExpired: it took too long.
    """
    done = subprocess.run(
        ["docker", *words],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        start_new_session=True,
    )
    if check and done.returncode:
        raise RuntimeError(f"docker {' '.join(words)}: {done.stdout}{done.stderr}")
    return done.stdout + done.stderr if both else done.stdout


class Compose:
    """One project of docker-compose.yml.

    Args:
        project: its name; containers, networks and volumes carry it.
        settings: more variables, as in `.env`.
        files: compose files below the repository's root, later ones outrank; default: docker-compose.yml.
    """

    def __init__(self, project: str, settings: Mapping[str, str] | None = None, *, files: Sequence[str] = ()) -> None:
        names = ("REDIS", "POSTGRES", "MAIL", "FLOWER", "GATEWAY", "RABBITMQ", "RABBITMQ_PAGE")
        ports = {f"{name}_PORT": str(free_port()) for name in names}
        self.env = {**os.environ, "COMPOSE_PROJECT_NAME": project, **ports, **(settings or {})}
        self.mailbox = Mailbox(f"http://127.0.0.1:{ports['MAIL_PORT']}")
        self.flower_url = f"http://127.0.0.1:{ports['FLOWER_PORT']}"
        self.gateway_url = f"http://127.0.0.1:{ports['GATEWAY_PORT']}"
        self.redis_url = f"redis://:{_PASSWORD}@127.0.0.1:{ports['REDIS_PORT']}/0"
        self.rabbitmq_url = f"amqp://worker:{_PASSWORD}@127.0.0.1:{ports['RABBITMQ_PORT']}//"
        self.network = f"{project}_default"
        self._files = [word for file in files for word in ("--file", file)]

    def __call__(self, *words: str, check: bool = True, timeout: float = 300) -> str:
        """Run `docker compose ...`; arguments, result and errors are those of `docker`."""
        return docker("compose", *self._files, *words, check=check, timeout=timeout, env=self.env)

    @property
    def broker_url(self) -> str:
        """The broker of docker-compose.yml as it comes."""
        return self.redis_url

    def containers(self, service: str) -> list[str]:
        """The ids of a service's containers, also of stopped ones."""
        return self("ps", "--all", "--quiet", service).split()

    def container(self, service: str) -> str:
        """The id of a service's container, also when it is stopped."""
        return self("ps", "--all", "--quiet", service).strip()

    def inspect(self, service: str) -> dict[str, Any]:
        """What Docker knows of a service's container."""
        found: dict[str, Any] = json.loads(docker("inspect", self.container(service)))[0]
        return found

    def probe(self, probe: str, service: str = "worker-celery-email") -> int:
        """The exit code of a health probe, `live` or `ready`, inside a worker's container."""
        words = ["docker", "compose", "exec", "-T", service, "python", "-m", "workerkit.health", probe]
        return subprocess.run(words, cwd=ROOT, env=self.env, capture_output=True, check=False).returncode

    def wait_ready(self, seconds: float = 60, service: str = "worker-celery-email") -> float:
        """Wait until a worker is ready; the seconds it took."""
        return wait_for(lambda: self.probe("ready", service) == 0, seconds)
