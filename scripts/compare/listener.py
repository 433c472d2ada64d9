"""Somebody who listens to the events of workers, as Flower does."""

from collections.abc import Iterator
from contextlib import contextmanager

from devstack.valkey import Valkey

_EVENTS = "*celeryev*"  # kombu's channel for them, in any database


@contextmanager
def listening(server: Valkey) -> Iterator[None]:
    """Take all events and do nothing with them, until the end of the block."""
    with server.client() as client, client.pubsub() as events:
        events.psubscribe(**{_EVENTS: lambda _: None})
        thread = events.run_in_thread(sleep_time=0.1, daemon=True)
        try:
            yield
        finally:
            thread.stop()
            thread.join()
