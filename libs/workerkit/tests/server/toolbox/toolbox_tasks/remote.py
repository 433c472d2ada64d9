"""Tasks that call another service by HTTP."""

import urllib.error
import urllib.request
from collections import Counter
from time import monotonic

from toolbox_app import app

from workerkit.circuit_breaker import CircuitOpen, circuit_breaker
from workerkit.errors import TransientError


@circuit_breaker("remote", fail_max=5, reset_seconds=1)
def _get(url: str) -> None:
    try:
        urllib.request.urlopen(url, timeout=10).close()
    except urllib.error.HTTPError as error:
        error.close()
        raise TransientError(f"{url} answered {error.code}") from error


@app.task(name="app.tasks.toolbox.call")
def call(url: str) -> str:
    """Call once, as a task usually does; tried again until it works."""
    _get(url)
    return "answered"


@app.task(name="app.tasks.toolbox.hammer")
def hammer(url: str, seconds: float) -> dict[str, int]:
    """Call all the time; counts what came of it."""
    outcomes: Counter[str] = Counter()
    end = monotonic() + seconds
    while monotonic() < end:
        try:
            _get(url)
            outcomes["answered"] += 1
        except CircuitOpen:
            outcomes["spared"] += 1
        except TransientError:
            outcomes["failed"] += 1
    return dict(outcomes)
