"""Keeps Ctrl-C and SIGTERM away from steps that would leave processes behind if they were cut in two."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def end_on_signals() -> None:
    """Make SIGINT raise KeyboardInterrupt and SIGTERM raise SystemExit, so that every `with` block is left.

    Only the first one counts: a second Ctrl-C must not cut short what the first one began. SIGINT is set too, because
    a shell that starts a program in the background has it ignored.
    """

    def end(number: int, _frame: FrameType | None) -> None:
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)

    for number in _SIGNALS:
        signal.signal(number, end)


@contextmanager
def deferred_interrupts() -> Iterator[None]:
    """Hold SIGINT and SIGTERM back until the block ends, then let them act as they would have.

    Only Python's handlers change, not the signal mask, so programs started in the block can still be stopped. In
    other threads than the main one, where Python handles no signals, it does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[int] = []

    def hold(number: int, _frame: FrameType | None) -> None:
        held.append(number)

    before = {number: signal.signal(number, hold) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for arrived in held:
            os.kill(os.getpid(), arrived)
