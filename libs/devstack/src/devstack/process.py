"""One program that runs beside us: started, watched, stopped or killed, its output kept in a log file."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import psutil

from devstack.interrupts import deferred_interrupts
from devstack.lines import whole_lines

STOP_SECONDS = 60.0  # far above the time a worker takes to drain and exit


class NotReady(RuntimeError):
    """A program did not become ready in time; the message holds the end of its log."""


class ManagedProcess:
    """A program in a session of its own, so that Ctrl-C reaches it only through us.

    Args:
        name: for messages and the log file.
        argv: program and arguments.
        log: file that gets its output, appended.
        cwd: working directory.
        env: its whole environment; default: ours.
        ready: says that it works; asked again until it says yes.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        log: Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        ready: Callable[[], bool] = lambda: True,
    ) -> None:
        self.name = name
        self.log = log
        self.env = dict(os.environ if env is None else env)
        self._argv = list(argv)
        self.cwd = cwd
        self._ready = ready
        self._process: subprocess.Popen[bytes] | None = None
        self._orphans_ended = False

    @property
    def pid(self) -> int:
        """The process id; an error if it was never started."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._process.pid

    def alive(self) -> bool:
        """Say whether it runs."""
        return self._process is not None and self._process.poll() is None

    def exit_code(self) -> int | None:
        """Its exit code, None while it runs."""
        return self._process.poll() if self._process else None

    def start(self) -> None:
        """Start it; use `wait_ready` to wait for it."""
        if self.alive():
            raise RuntimeError(f"{self.name} runs already")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        # Between the start of the program and the assignment nobody would know that it runs.
        with self.log.open("ab") as output, deferred_interrupts():
            self._process = subprocess.Popen(
                self._argv,
                cwd=self.cwd,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
            self._orphans_ended = False

    def __enter__(self) -> Self:
        self.start()
        try:
            self.wait_ready()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def wait_ready(self, timeout: float = 120.0) -> None:
        """Wait until it is ready.

        Raises:
            NotReady: it exited, or `timeout` seconds went by.
        """
        deadline = time.monotonic() + timeout
        while not self._ready():
            if not self.alive() or time.monotonic() > deadline:
                state = "is not ready" if self.alive() else f"exited with {self.exit_code()}"
                raise NotReady(f"{self.name} {state}; the end of {self.log}:\n{self.tail()}")
            time.sleep(0.1)

    def terminate(self) -> None:
        """Send SIGTERM and do not wait."""
        if self._process is not None:
            self._process.terminate()

    def stop(self, timeout: float = STOP_SECONDS) -> None:
        """End it with SIGTERM; with SIGKILL, and all it started, if that takes more than `timeout` seconds."""
        if self._process is None:
            return
        self.terminate()
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
        self._end_orphans()

    def kill(self) -> None:
        """End it and all it started with SIGKILL, at once."""
        if self._process is None or not self.alive():  # its id may be another program's by now
            return
        with contextlib.suppress(psutil.NoSuchProcess):
            parent = psutil.Process(self.pid)
            for process in [parent, *parent.children(recursive=True)]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
        self._process.wait()

    def _end_orphans(self) -> None:
        """End what it started and left behind, such as the pool of a worker that was killed; once for each start.

        Its session is its own, so the group has its id. The system gives the id to another program when the group is
        empty, and not before: after that a signal would end a stranger.
        """
        if self._orphans_ended or psutil.pid_exists(self.pid):  # it has been waited for, so this is not it any more
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._orphans_ended = True

    def children(self) -> list[psutil.Process]:
        """The processes it started, such as a worker's pool."""
        return psutil.Process(self.pid).children(recursive=True)

    def records(self) -> list[dict[str, Any]]:
        """The lines of its log that are JSON objects, without one that is still being written."""
        return [json.loads(line) for line in whole_lines(self.log) if line.startswith("{")]

    def tail(self, lines: int = 30) -> str:
        """The last lines of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""
