# mypy: disable-error-code="import-not-found, untyped-decorator"
"""dramatiq, with its Redis broker."""

from typing import Any

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends.redis import RedisBackend

from compare.systems.bodies import PLAIN, URL, VARIANT

SOON = {"heartbeat_timeout": 3000, "maintenance_chance": 100_000}
broker = RedisBroker(url=URL, **(SOON if VARIANT == "kill" else {}))
if VARIANT == "results":
    broker.add_middleware(Results(backend=RedisBackend(url=URL)))
dramatiq.set_broker(broker)
_keep = {"store_results": True} if VARIANT == "results" else {}
_actors = {
    _body: dramatiq.actor(_function, broker=broker, **(_keep if _body == "answer" else {}))
    for _body, _function in PLAIN.items()
}


def send(body: str, payload: dict[str, Any]) -> None:
    """By `send`."""
    _actors[body].send(**payload)


def send_all(body: str, payloads: list[dict[str, Any]]) -> None:
    """One by one: its Redis broker has no other way."""
    for payload in payloads:
        _actors[body].send(**payload)
