"""Local health: the worker writes its phase and its loop's ticks to a file, and `workerkit.health` reads it."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

from workerkit import health

_WRITE_SECONDS = 2.0


class Health:
    """Writes the health file from a thread of its own, and at every change of phase.

    Args:
        path: the file to write.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        #: Says that the loop stands still for a good reason, such as a task in a pool of the same thread.
        self.excused: Callable[[], bool] = bool
        self._phase = health.STARTING
        self._tick = time.monotonic()
        self._lock = threading.Lock()

    def start(self) -> None:
        """Start writing; call it in the process whose health it is."""
        self._write()
        threading.Thread(target=self._keep_writing, name="health", daemon=True).start()

    def tick(self) -> None:
        """Say that the loop turned."""
        self._tick = time.monotonic()

    def enter(self, phase: str) -> None:
        """Change the phase."""
        self._phase = phase
        self.tick()
        self._write()

    def _keep_writing(self) -> None:
        while True:
            time.sleep(_WRITE_SECONDS)
            if self.excused():
                self.tick()
            self._write()

    def _write(self) -> None:
        # The monotonic clock is one for all processes of a machine and knows no clock change.
        with self._lock:
            draft = self._path.with_suffix(".draft")
            draft.write_text(health.text(self._phase, self._tick, time.monotonic()))
            draft.replace(self._path)
