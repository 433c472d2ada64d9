"""The producer of one system, in the system's own environment: does what it reads on stdin, answers on stdout.

python -m compare.systems.sending compare.systems.dramatiq_tasks
"""

import importlib
import json
import random
import string
import sys
import time
from typing import Any, Protocol

LARGE = "".join(random.Random(1).choices(string.ascii_letters + string.digits, k=65_536))  # noqa: S311


class System(Protocol):
    """What a system's module offers beside its worker's application."""

    def send(self, body: str, payload: dict[str, Any]) -> object:
        """Enqueue one task by the call that its documents show first."""

    def send_all(self, body: str, payloads: list[dict[str, Any]]) -> object:
        """Enqueue many in the fastest way that the system offers."""


def payload_of(body: str, number: int) -> dict[str, Any]:
    """The arguments of one task."""
    more = {"take": {"text": LARGE}, "work": {"mark": f"mark-{number}."}}.get(body, {})
    return {"number": number, **more}


def main() -> None:
    """Serve orders, one JSON object a line, until stdin ends."""
    system: Any = importlib.import_module(sys.argv[1])
    for line in sys.stdin:
        order = json.loads(line)
        print(json.dumps(_carry_out(system, **order)), flush=True)


def _carry_out(system: System, *, body: str, count: int, how: str, rate: float = 0.0, first: int = 0) -> dict[str, Any]:
    payloads = [payload_of(body, first + number) for number in range(count)]
    if how == "paced":
        return {"at": _paced(system, body, payloads, rate)}
    cpu, began = time.process_time(), time.monotonic()
    if how == "single":
        for payload in payloads:
            system.send(body, payload)
    else:
        system.send_all(body, payloads)
    return {"seconds": time.monotonic() - began, "cpu": time.process_time() - cpu}


def _paced(system: System, body: str, payloads: list[dict[str, Any]], rate: float) -> list[float]:
    """Send one at a time at an even rate; when each send began."""
    at, began = [], time.monotonic()
    for number, payload in enumerate(payloads):
        time.sleep(max(0.0, began + number / rate - time.monotonic()))
        at.append(time.monotonic())
        system.send(body, payload)
    return at


if __name__ == "__main__":
    main()
