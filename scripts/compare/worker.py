"""The processes of one subject: its worker or workers, and its producer."""

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import psutil

from compare.meter import cpu, tree
from compare.records import Records, Stalled
from compare.subjects import Subject
from compare.workloads import Variant
from devstack.interrupts import deferred_interrupts
from devstack.process import ManagedProcess
from devstack.services import ROOT
from devstack.valkey import Valkey

_STOP_SECONDS = 5.0
_LOOK_SECONDS = 0.02
_START_SECONDS = 15.0
_QUIET_SECONDS, _QUIET_SHARE = 1.5, 0.25  # of a processor, by all together


def environment(
    subject: Subject, server: Valkey, records: Records, variant: Variant, folder: Path, *, database: str = ""
) -> dict[str, str]:
    """The environment of both processes; `database` is the URL of one, if there is one."""
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT / "scripts"),
        "TASK_BROKER_URL": server.url,
        "HEALTH_FILE": str(folder / "health"),
        "BENCH_RECORD": str(records.path),
        "BENCH_VARIANT": variant,
        **({"TASK_LEASE_SECONDS": "2"} if variant == "kill" else {}),
        **({"DATABASE_URL": database} if variant == "database" else {}),
        **subject.variables,
    }


class Worker(ManagedProcess):
    """A subject's worker; it is ready when its first task has ended.

    Args:
        subject: whose.
        folder: gets the log, and is its working directory.
        env: its environment.
        number: which of several; None if there is one.
    """

    def __init__(self, subject: Subject, folder: Path, env: Mapping[str, str], number: int | None = None) -> None:
        log = folder / f"worker{'' if number is None else f'-{number}'}.log"
        super().__init__(subject.name, subject.argv(number), log=log, cwd=folder, env=env)

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


class Workers:
    """All workers of a subject that run at a time, in most workloads one.

    Args:
        subject: whose.
        folder: gets the logs.
        env: their environment.
        count: how many; more than one have a health file each.
    """

    def __init__(self, subject: Subject, folder: Path, env: Mapping[str, str], count: int = 1) -> None:
        if count == 1:
            self.each = [Worker(subject, folder, env)]
            return
        health = [{"HEALTH_FILE": str(folder / f"health-{number}.json")} for number in range(count)]
        self.each = [Worker(subject, folder, {**env, **health[number]}, number) for number in range(count)]

    @property
    def pids(self) -> list[int]:
        """Of their main processes."""
        return [worker.pid for worker in self.each]

    def alive(self) -> bool:
        """Whether all of them run."""
        return all(worker.alive() for worker in self.each)

    def freeze(self) -> None:
        """Stop all processes as they are."""
        for worker in self.each:
            worker.freeze()

    def thaw(self) -> None:
        """Let all go on."""
        for worker in self.each:
            worker.thaw()

    def settle(self) -> None:
        """Wait until several have started: until they use next to no CPU for longer than Celery's mingle waits.

        Of one worker the first task tells that it has started. What is busy while it waits is not waited for.
        """
        if len(self.each) == 1:
            return
        since = began = time.monotonic()
        before = cpu(self.pids)
        while time.monotonic() - since < _QUIET_SECONDS and time.monotonic() - began < _START_SECONDS:
            time.sleep(_QUIET_SECONDS / 5)
            now = cpu(self.pids)
            if now - before > _QUIET_SHARE * _QUIET_SECONDS / 5:
                since = time.monotonic()
            before = now

    def kill(self) -> None:
        """End all with SIGKILL, and what they left behind; they may have ended, or never been started."""
        for worker in self.each:
            worker.kill()
        for worker in self.each:
            worker.stop(0)

    def __enter__(self) -> Self:
        for worker in self.each:
            worker.start()
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.each:
            worker.thaw()  # what is stopped cannot end
            worker.terminate()
        until = time.monotonic() + _STOP_SECONDS
        while any(worker.alive() for worker in self.each) and time.monotonic() < until:
            time.sleep(_LOOK_SECONDS)
        self.kill()


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
            count: how many; their numbers begin at 0, or at `first`.
            how: "single", "bulk" or "paced" (with `rate`, a second).
            more: what else the order says, such as the `first` number.

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
