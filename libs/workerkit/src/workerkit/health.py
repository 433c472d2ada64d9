"""The probes `live` and `ready`, which read the file that `workerkit.health_file` writes.

`python -m workerkit.health live` and `python -m workerkit.health ready` exit 0 or 1 and say why. Docker runs one every
few seconds in each container, so this imports next to nothing: json alone would cost more than all the rest.
"""

import os
import sys
import time

STARTING, READY, DISCONNECTED, DRAINING = "starting", "ready", "disconnected", "draining"
_DEFAULT_FILE = "/tmp/health"  # noqa: S108  - a private tmpfs in the container
_WRITE_LIMIT = 15.0  # older than this: the process is gone or frozen
_READY_TICK_LIMIT = 10.0  # a worker whose loop did not turn for so long does not take messages
_LIVE_TICK_LIMIT = 60.0  # and after so long it is stuck


def path() -> str:
    """Where the health file is: HEALTH_FILE, or /tmp/health."""
    return os.environ.get("HEALTH_FILE") or _DEFAULT_FILE


def text(phase: str, tick: float, written: float) -> str:
    """What the health file says: the phase, and when the loop turned and this was written, on the monotonic clock."""
    return f"{os.getpid()} {phase} {tick} {written}\n"


def check(probe: str, file: "str | os.PathLike[str]") -> str | None:
    """Check the health file.

    Args:
        probe: "live" (restart me if not) or "ready" (give me work).
        file: that `Health` writes.

    Returns:
        None if all is well, else one sentence that says what is wrong.
    """
    try:
        with open(file, encoding="ascii") as opened:  # noqa: PTH123  - pathlib is slow to import
            pid, phase, ticked, wrote = opened.read().split()
        tick, written = float(ticked), float(wrote)
    except (OSError, ValueError) as error:
        return f"no health file yet: {error}"
    now = time.monotonic()
    if not 0 <= now - written <= _WRITE_LIMIT:  # negative: written before the machine booted
        return f"nothing written for {now - written:.0f} s: process {pid} is gone or frozen"
    limit = _READY_TICK_LIMIT if probe == "ready" else _LIVE_TICK_LIMIT
    if phase == READY and now - tick > limit:
        return f"the loop has not turned for {now - tick:.0f} s"
    if probe == "ready" and phase != READY:
        return f"the phase is {phase}"
    return None


def main(arguments: list[str]) -> int:
    """Run one probe from the command line."""
    if arguments not in (["live"], ["ready"]):
        sys.stderr.write("usage: python -m workerkit.health live|ready\n")
        return 2
    problem = check(arguments[0], path())
    sys.stdout.write(f"{arguments[0]}: {problem or 'ok'}\n")
    return 1 if problem else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
