"""The embedded stack: the servers and every service of the repository, as processes on free ports."""

import json
import os
import secrets
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from devstack.interrupts import deferred_interrupts
from devstack.mailbox import Mailbox
from devstack.ports import free_port
from devstack.postgres import Postgres
from devstack.process import ManagedProcess, NotReady
from devstack.sample_data import SAMPLE_DATA, SAMPLE_FILES
from devstack.services import ROOT, Service, discover
from devstack.valkey import Valkey
from taskclient.client import TaskClient


class Stack:
    """Starts everything on entering, stops everything on leaving, whatever happened in between.

    Valkey and a mail catcher always; PostgreSQL if a service uses the database. One-shot services, such as the
    migrations, have ended before the others start.

    Args:
        folder: gets the data and, in `logs`, one log file for each process.
        only: names of the services to start; default: all.
        settings: environment variables for the services, above the stack's own.
        root: the repository whose services are started.
    """

    def __init__(
        self,
        folder: Path,
        *,
        only: set[str] | None = None,
        settings: Mapping[str, str] | None = None,
        root: Path = ROOT,
    ) -> None:
        self.folder = folder
        self.logs = folder / "logs"
        self.valkey = Valkey(folder / "valkey")
        self.storage = folder / "storage"
        self.smtp_port, self._mail_port, self._flower_port, self._data_port = (free_port() for _ in range(4))
        self._gateway_port = free_port()
        self.mailbox = Mailbox(f"http://127.0.0.1:{self._mail_port}")
        self.flower_url = f"http://127.0.0.1:{self._flower_port}"
        self.flower_password = secrets.token_urlsafe(12)
        self.gateway_url = f"http://127.0.0.1:{self._gateway_port}"
        self.gateway_key = secrets.token_urlsafe(24)
        self.mail = self._mail_catcher()
        self._settings = dict(settings or {})
        services = discover(root)
        chosen = [service for service in services if only is None or service.name in only]
        self.postgres = Postgres(folder / "postgres") if any(service.uses_database for service in chosen) else None
        self.jobs = [service for service in services if service.probe is None and self._has_servers(service)]
        self.services = {service.name: self._process(service) for service in chosen if service.probe is not None}

    @property
    def processes(self) -> list[ManagedProcess]:
        """All processes that keep running, in the order of their start."""
        return [*self._servers, *self.services.values()]

    def client(self) -> TaskClient:
        """A client of this stack; the caller closes it."""
        return TaskClient(self.valkey.url)

    def __enter__(self) -> Self:
        try:
            _start(self._servers)
            for job in self.jobs:
                self._run(job)
            _start(list(self.services.values()))
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop all processes: the services together, then what they stand on; a second Ctrl-C waits until then."""
        services = [process for process in self.services.values() if process.alive()]
        with deferred_interrupts():
            for process in services:
                process.terminate()
            for process in [*services, *reversed(self._servers)]:
                process.stop()

    def environment(self, name: str) -> dict[str, str]:
        """The environment variables of a service."""
        return {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONUNBUFFERED": "1",
            "TASK_BROKER_URL": self.valkey.url,
            "STORAGE_URL": self.storage.as_uri(),
            **({"DATABASE_URL": self.postgres.url} if self.postgres else {}),
            **self._sample_data(),
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(self.smtp_port),
            "SMTP_STARTTLS": "false",
            "FLOWER_ADDRESS": "127.0.0.1",
            "FLOWER_PORT": str(self._flower_port),
            "FLOWER_PASSWORD": self.flower_password,
            "FLOWER_DB": str(self.folder / "flower.db"),
            "GATEWAY_ADDRESS": "127.0.0.1",
            "GATEWAY_PORT": str(self._gateway_port),
            "GATEWAY_KEY": self.gateway_key,
            "HEALTH_FILE": str(self.folder / f"{name}.health"),
            "CELERYCONFIG_WORKER_CONCURRENCY": "2",
            **self._settings,
        }

    @property
    def _servers(self) -> list[ManagedProcess]:
        return [self.valkey, *([self.postgres] if self.postgres else []), self.mail]

    def _has_servers(self, service: Service) -> bool:
        return self.postgres is not None or not service.uses_database

    def _sample_data(self) -> dict[str, str]:
        """Where the sample data are, and who asks there for what."""
        url = f"http://127.0.0.1:{self._data_port}"
        return {
            "SAMPLE_DATA_FOLDER": str(SAMPLE_DATA),
            "SAMPLE_DATA_ADDRESS": "127.0.0.1",
            "SAMPLE_DATA_PORT": str(self._data_port),
            "SOURCES": json.dumps({Path(file).name.split(".")[0]: f"{url}/files/{file}" for file in SAMPLE_FILES}),
            "APIS": json.dumps({name: f"{url}/api/{name}/{{record}}" for name in ("airlines", "airports")}),
        }

    def _run(self, job: Service) -> None:
        log = self.logs / f"{job.name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            env = self.environment(job.name)
            ended = subprocess.run(job.command, cwd=job.folder, env=env, stdout=output, stderr=output, check=False)
        if ended.returncode:
            raise NotReady(f"{job.name} exited with {ended.returncode}; {log}:\n{log.read_text(errors='replace')}")

    def _process(self, service: Service) -> ManagedProcess:
        env = self.environment(service.name)
        argv = service.probe or []

        def ready() -> bool:
            probe = subprocess.run(argv, cwd=service.folder, env=env, capture_output=True, check=False)
            return probe.returncode == 0

        log = self.logs / f"{service.name}.log"
        return ManagedProcess(service.name, service.command, log=log, cwd=service.folder, env=env, ready=ready)

    def _mail_catcher(self) -> ManagedProcess:
        ports = ["--smtp-port", str(self.smtp_port), "--http-port", str(self._mail_port)]

        def ready() -> bool:
            try:
                return self.mailbox.mails() is not None
            except (urllib.error.URLError, OSError):
                return False

        argv = [sys.executable, "-m", "devstack.mailcatcher", *ports]
        return ManagedProcess("mail", argv, log=self.logs / "mail.log", ready=ready)


def _start(processes: list[ManagedProcess]) -> None:
    for process in processes:
        process.start()
    for process in processes:
        process.wait_ready()
