"""Reads what the tasks noted of themselves."""

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from compare.systems.record import RECORD

_LOOK_SECONDS = 0.005
_STALL_SECONDS = 30.0  # without any note


class Stalled(RuntimeError):
    """Tasks that were sent do not run."""


class Records:
    """The file that all tasks append to; it outlives workers.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clear()

    def clear(self) -> None:
        """Forget all: whoever appends begins at the start again."""
        self.path.open("wb").close()

    def count(self) -> int:
        """How many notes there are."""
        return self.path.stat().st_size // RECORD.size

    def read(self) -> list[tuple[int, float]]:
        """All notes: the number, which is below 0 for a beginning, and the time in monotonic seconds."""
        content = self.path.read_bytes()
        whole = len(content) - len(content) % RECORD.size
        return list(RECORD.iter_unpack(content[:whole]))

    def starts(self) -> "Counter[int]":
        """How often each task began."""
        return Counter(-1 - number for number, _ in self.read() if number < 0)

    def ends(self) -> "Counter[int]":
        """How often each task came to its end."""
        return Counter(number for number, _ in self.read() if number >= 0)

    def wait(self, count: int, alive: Callable[[], bool], *, stall: float = _STALL_SECONDS) -> None:
        """Wait for so many notes.

        Args:
            count: how many.
            alive: says whether the worker runs.
            stall: seconds.

        Raises:
            Stalled: the worker ended, or noted nothing for `stall` seconds.
        """
        seen, since = -1, time.monotonic()
        while (found := self.count()) < count:
            if found != seen:
                seen, since = found, time.monotonic()
            elif not alive() or time.monotonic() - since > stall:
                why = f"nothing happened for {stall:.0f} s" if alive() else "the worker ended"
                raise Stalled(f"{why}, after {found} of {count} tasks")
            time.sleep(_LOOK_SECONDS)
