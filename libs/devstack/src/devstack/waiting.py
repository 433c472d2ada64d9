"""Waiting for something to become true."""

import time
from collections.abc import Callable


def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> float:
    """Ask `condition` again and again until it says yes.

    Returns:
        The seconds it took.

    Raises:
        TimeoutError: it did not within `seconds`.
    """
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            raise TimeoutError(f"not within {seconds} s: {condition}")
        time.sleep(0.05)
    return time.monotonic() - began
