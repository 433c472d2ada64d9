"""The embedded stack: Valkey, a mail catcher and every service of the repository, as processes on free ports."""

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
from devstack.process import ManagedProcess
from devstack.services import ROOT, Service, discover
from devstack.valkey import Valkey
from taskclient.client import TaskClient


class Stack:
    """Starts everything on entering, stops everything on leaving, whatever happened in between.

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
        self.smtp_port, self._mail_port, self._flower_port = free_port(), free_port(), free_port()
        self.mailbox = Mailbox(f"http://127.0.0.1:{self._mail_port}")
        self.flower_url = f"http://127.0.0.1:{self._flower_port}"
        self.flower_password = secrets.token_urlsafe(12)
        self.mail = self._mail_catcher()
        self._settings = dict(settings or {})
        self.services = {s.name: self._process(s) for s in discover(root) if only is None or s.name in only}

    @property
    def processes(self) -> list[ManagedProcess]:
        """All processes, in the order of their start."""
        return [self.valkey, self.mail, *self.services.values()]

    def client(self) -> TaskClient:
        """A client of this stack; the caller closes it."""
        return TaskClient(self.valkey.url)

    def __enter__(self) -> Self:
        try:
            self.valkey.start()
            self.valkey.wait_ready()
            for process in self.processes[1:]:
                process.start()
            for process in self.processes[1:]:
                process.wait_ready()
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
            for process in [*services, self.mail, self.valkey]:
                process.stop()

    def environment(self, name: str) -> dict[str, str]:
        """The environment variables of a service."""
        return {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONUNBUFFERED": "1",
            "TASK_BROKER_URL": self.valkey.url,
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(self.smtp_port),
            "SMTP_STARTTLS": "false",
            "FLOWER_ADDRESS": "127.0.0.1",
            "FLOWER_PORT": str(self._flower_port),
            "FLOWER_PASSWORD": self.flower_password,
            "FLOWER_DB": str(self.folder / "flower.db"),
            "HEALTH_FILE": str(self.folder / f"{name}.health.json"),
            "CELERYCONFIG_WORKER_CONCURRENCY": "2",
            **self._settings,
        }

    def _process(self, service: Service) -> ManagedProcess:
        env = self.environment(service.name)

        def ready() -> bool:
            probe = subprocess.run(service.probe, cwd=service.folder, env=env, capture_output=True, check=False)
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
