"""Starts a worker again whenever it ends, as `restart: unless-stopped` of Docker does."""

import contextlib
import random
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from devstack.process import ManagedProcess, NotReady
from workerkit.health import check

_LOOK_SECONDS = 0.1
_PAUSE_SECONDS = 0.5  # before a start, so that a worker that cannot live does not take the whole machine


class Worker(ManagedProcess):
    """The process of a worker; what it said before its last start does not count.

    Args:
        name: its node name's first part.
        argv: the command.
        log: gets its output.
        folder: its working directory.
        env: its environment.
        health: the file that says whether it is ready; None for plain Celery, which says so in its log.
    """

    def __init__(
        self, name: str, argv: Sequence[str], *, log: Path, folder: Path, env: Mapping[str, str], health: Path | None
    ) -> None:
        super().__init__(name, argv, log=log, cwd=folder, env=env, ready=self.is_ready)
        self._health = health
        self._log_start = 0

    def start(self) -> None:
        """Start it."""
        if self._health:
            self._health.unlink(missing_ok=True)
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        super().start()

    def is_ready(self) -> bool:
        """Whether it takes tasks."""
        if self._health:
            return check("ready", self._health) is None
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return b" ready." in log.read()


class Supervised:
    """A process that is kept running.

    Args:
        process: started on entering, ended on leaving.
    """

    def __init__(self, process: Worker) -> None:
        self.process = process
        self.exits = 0  # how often it ended by itself
        self._ours = False  # the next end is our doing
        self._leaving = threading.Event()
        self._lock = threading.RLock()
        self._thread = threading.Thread(target=self._watch, name=process.name, daemon=True)

    def start(self, *, wait: bool = True) -> None:
        """Start it, and wait until it takes tasks."""
        self.process.start()
        if wait:
            self.process.wait_ready(60)
        self._thread.start()

    def kill(self) -> None:
        """SIGKILL to all of its processes; it is started again."""
        with self._lock:
            self._ours = True
            self.process.kill()

    def terminate(self, grace: float) -> None:
        """SIGTERM, and SIGKILL if it has not ended after `grace` seconds, as `docker stop` does; started again."""
        with self._lock:
            self._ours = True
        self.process.terminate()
        ends = time.monotonic() + grace
        while self.process.alive() and time.monotonic() < ends and self._ours:
            time.sleep(_LOOK_SECONDS)
        with self._lock:
            if self._ours:
                self.process.kill()

    def kill_child(self) -> None:
        """SIGKILL to one process of the pool."""
        with contextlib.suppress(psutil.NoSuchProcess, IndexError):
            random.choice(self.process.children()).kill()  # noqa: S311 - no secret

    def wait_ready(self, seconds: float) -> bool:
        """Wait until it takes tasks again; says whether it does."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            with contextlib.suppress(NotReady, RuntimeError, psutil.Error):
                self.process.wait_ready(min(1.0, max(0.1, ends - time.monotonic())))
                return True
            time.sleep(_LOOK_SECONDS)
        return False

    def is_up(self) -> bool:
        """Whether it takes tasks at this moment."""
        return self.process.alive() and self.process.is_ready()

    def freeze(self) -> None:
        """Start it no more, and stop all of its processes as they are."""
        self._leave_alone()
        with contextlib.suppress(psutil.Error, RuntimeError):
            main = psutil.Process(self.process.pid)
            for process in (main, *main.children(recursive=True)):
                process.suspend()

    def leave(self) -> None:
        """Start it no more, and end it at once."""
        self._leave_alone()
        self.process.kill()
        self.process.stop()  # ends what a killed worker left behind

    def _leave_alone(self) -> None:
        self._leaving.set()
        if self._thread.is_alive():
            self._thread.join()

    def _watch(self) -> None:
        while not self._leaving.wait(_LOOK_SECONDS):
            with self._lock:
                if not self.process.alive():
                    self._again()

    def _again(self) -> None:
        self.exits += 0 if self._ours else 1
        self._ours = False
        self.process.stop()  # its orphans: in a container they end with the main process
        if not self._leaving.wait(_PAUSE_SECONDS):
            self.process.start()
