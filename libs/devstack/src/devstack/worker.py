"""A Celery worker, or beat, of any application folder as a process."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from devstack.lines import whole_lines
from devstack.process import ManagedProcess
from devstack.valkey import Valkey
from devstack.waiting import wait_for
from workerkit.health import check

WORKER = ("worker", "--without-mingle", "--without-gossip")


class WorkerProcess(ManagedProcess):
    """`python -m workerkit -A <app> worker` on a given server; ready when its health file says so.

    Args:
        server: broker and result backend.
        source: the folder with the application module and its `celeryconfig.py`.
        app: the application module's name.
        folder: gets the log, the health file, and the traces.
        arguments: what follows `python -m workerkit -A <app>`.
        settings: more environment variables.
    """

    def __init__(
        self,
        server: Valkey,
        source: Path,
        app: str,
        *,
        folder: Path,
        arguments: Sequence[str] = WORKER,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.health = folder / f"{arguments[0]}.health"
        self.traces = folder / "traces"
        self.traces.mkdir(exist_ok=True)
        env = {
            **os.environ,
            "TASK_BROKER_URL": server.url,
            "HEALTH_FILE": str(self.health),
            "TRACES": str(self.traces),
            "CELERYCONFIG_WORKER_CONCURRENCY": "2",
            **(settings or {}),
        }
        argv = [sys.executable, "-W", "error::DeprecationWarning:workerkit", "-m", "workerkit", "-A", app, *arguments]
        log = folder / f"{arguments[0]}.log"
        super().__init__(app, argv, log=log, cwd=source, env=env, ready=self.is_ready)

    def start(self) -> None:
        """Start it; what an earlier run said of its health does not count."""
        self.health.unlink(missing_ok=True)
        super().start()

    def is_ready(self) -> bool:
        """Ask as the probe `ready` does."""
        return check("ready", self.health) is None

    def is_live(self) -> bool:
        """Ask as the probe `live` does."""
        return check("live", self.health) is None

    def records_of(self, task_id: str, least: int = 1) -> list[dict[str, Any]]:
        """The records of its log about one task, at least so many: they come a moment after its result."""

        def found() -> list[dict[str, Any]]:
            return [record for record in self.records() if record.get("task_id") == task_id]

        wait_for(lambda: len(found()) >= least)
        return found()

    def trace(self, name: str) -> list[str]:
        """The lines that a task left in the file `name` of the folder that the variable TRACES names."""
        return whole_lines(self.traces / name)
