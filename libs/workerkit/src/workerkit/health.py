"""Local health: the worker writes its phase and its loop's ticks to a file, `live` and `ready` read it.

Imports the standard library alone, so that a probe costs milliseconds:
`python -m workerkit.health live` and `python -m workerkit.health ready` exit 0 or 1 and say why.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

STARTING, READY, DISCONNECTED, DRAINING = "starting", "ready", "disconnected", "draining"
_DEFAULT_FILE = "/tmp/health.json"  # noqa: S108  - a private tmpfs in the container
_WRITE_SECONDS = 2.0
_WRITE_LIMIT = 15.0  # older than this: the process is gone or frozen
_READY_TICK_LIMIT = 10.0  # a worker whose loop did not turn for so long does not take messages
_LIVE_TICK_LIMIT = 60.0  # and after so long it is stuck


class Health:
    """Writes the health file from a thread of its own, and at every change of phase.

    Args:
        path: the file to write.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        #: Says that the loop stands still for a good reason, such as a task in a pool of the same thread.
        self.excused: Callable[[], bool] = bool
        self._phase = STARTING
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
        state = {"pid": os.getpid(), "phase": self._phase, "tick": self._tick, "written": time.monotonic()}
        with self._lock:
            draft = self._path.with_suffix(".draft")
            draft.write_text(json.dumps(state))
            draft.replace(self._path)


def health_file() -> Path:
    """Where the health file is: HEALTH_FILE, or /tmp/health.json."""
    return Path(os.environ.get("HEALTH_FILE") or _DEFAULT_FILE)


def check(probe: str, path: Path) -> str | None:
    """Check the health file.

    Args:
        probe: "live" (restart me if not) or "ready" (give me work).
        path: the file that `Health` writes.

    Returns:
        None if all is well, else one sentence that says what is wrong.
    """
    try:
        state = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        return f"no health file yet: {error}"
    now = time.monotonic()
    if not 0 <= now - state["written"] <= _WRITE_LIMIT:  # negative: written before the machine booted
        return f"nothing written for {now - state['written']:.0f} s: process {state['pid']} is gone or frozen"
    limit = _READY_TICK_LIMIT if probe == "ready" else _LIVE_TICK_LIMIT
    if state["phase"] == READY and now - state["tick"] > limit:
        return f"the loop has not turned for {now - state['tick']:.0f} s"
    if probe == "ready" and state["phase"] != READY:
        return f"the phase is {state['phase']}"
    return None


def main(arguments: list[str]) -> int:
    """Run one probe from the command line."""
    if arguments not in (["live"], ["ready"]):
        sys.stderr.write("usage: python -m workerkit.health live|ready\n")
        return 2
    problem = check(arguments[0], health_file())
    sys.stdout.write(f"{arguments[0]}: {problem or 'ok'}\n")
    return 1 if problem else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
