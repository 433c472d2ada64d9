"""The pauses that keep something at so many in a second."""

import time
from collections.abc import Iterator


def pauses(per_second: float | None) -> Iterator[float]:
    """How many seconds to wait before the next one, for ever; what was late is not made up for.

    Args:
        per_second: how many in a second at most; None is as fast as possible.

    Raises:
        ValueError: `per_second` is not above 0.
    """
    if per_second is not None and per_second <= 0:
        raise ValueError(f"per_second is {per_second}, but must be above 0.")
    return _pauses(1 / per_second if per_second else 0.0)


def _pauses(gap: float) -> Iterator[float]:
    due = time.monotonic()
    while True:
        now = time.monotonic()
        yield max(0.0, due - now)
        due = max(due, now) + gap
