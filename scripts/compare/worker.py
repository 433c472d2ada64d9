"""The processes of one subject: its worker, and its producer."""

import contextlib
import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import psutil

from compare.meter import tree
from compare.records import Records, Stalled
from compare.subjects import Subject
from compare.workloads import Variant
from devstack.interrupts import deferred_interrupts
from devstack.process import ManagedProcess
from devstack.services import ROOT
from devstack.valkey import Valkey

_STOP_SECONDS = 5.0


def environment(subject: Subject, server: Valkey, records: Records, variant: Variant, folder: Path) -> dict[str, str]:
    """The environment of both processes."""
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT / "scripts"),
        "TASK_BROKER_URL": server.url,
        "HEALTH_FILE": str(folder / "health"),
        "BENCH_RECORD": str(records.path),
        "BENCH_VARIANT": variant,
        **({"TASK_LEASE_SECONDS": "2"} if variant == "kill" else {}),
        **subject.variables,
    }


class Worker(ManagedProcess):
    """A subject's worker; it is ready when its first task has ended.

    Args:
        subject: whose.
        folder: gets the log, and is its working directory.
        env: its environment.
    """

    def __init__(self, subject: Subject, folder: Path, env: Mapping[str, str]) -> None:
        super().__init__(subject.name, subject.argv(), log=folder / "worker.log", cwd=folder, env=env)

    def freeze(self) -> None:
        """Stop all its processes as they are, so that tasks can be put before it."""
        self._each("suspend")

    def thaw(self) -> None:
        """Let them go on, the main process last: what it looks after is there by then."""
        self._each("resume")

    def _each(self, method: str) -> None:
        processes = tree(self.pid)
        for process in processes if method == "suspend" else reversed(processes):
            with contextlib.suppress(psutil.NoSuchProcess):
                getattr(process, method)()

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            self.thaw()  # what is stopped cannot end
        self.stop(_STOP_SECONDS)


class Sender:
    """A process of the subject's own environment that sends tasks.

    Args:
        subject: whose.
        folder: gets the log.
        env: its environment.
    """

    def __init__(self, subject: Subject, folder: Path, env: Mapping[str, str]) -> None:
        self._log = folder / "sender.log"
        self._argv = [str(subject.programs / "python"), "-m", "compare.systems.sending", subject.module]
        self._env, self._folder = env, folder
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        with self._log.open("ab") as log, deferred_interrupts():
            self._process = subprocess.Popen(
                self._argv,
                cwd=self._folder,
                env=self._env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """End it; it may have ended, or never been started."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.communicate()

    def send(self, body: str, count: int, how: str = "bulk", **more: Any) -> dict[str, Any]:
        """Have tasks sent.

        Args:
            body: which.
            count: how many; their numbers begin at 0.
            how: "single", "bulk" or "paced" (with `rate`, a second).
            more: what else the order says.

        Returns:
            The `seconds` and the `cpu` seconds it took; of paced ones when each was sent (`at`).

        Raises:
            Stalled: the process ended.
        """
        order = {"body": body, "count": count, "how": how, **more}
        if self._process is None or self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the producer was not started")
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise Stalled(f"the producer ended; the end of {self._log}:\n{self._log.read_text()[-2000:]}")
        return dict(json.loads(answer))
