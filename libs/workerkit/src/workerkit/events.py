"""Worker events that wait for nobody, and are sent many at once.

Flower misses a heartbeat rather than the worker a broken connection.

Celery sends its heartbeat with endless retries from the worker's loop. If that comes before the loop has noticed that
the broker is gone, the loop stands still until the broker is back: no probe, no SIGTERM, no time limit is looked after.
"""

from typing import Any

from celery.app.events import Events as CeleryEvents
from celery.events.dispatcher import EventDispatcher

_MOST_BUFFERED = 1000  # the consumer flushes after a moment in any case


class Dispatcher(EventDispatcher):
    """Sends an event once; one that cannot be sent is kept until the next connection."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"buffer_limit": _MOST_BUFFERED, **options})

    def send(self, type: str, *args: Any, **options: Any) -> Any:  # noqa: A002 - Celery's name
        """Send an event as Celery does, but without retries."""
        return super().send(type, *args, **options | {"retry": False})


class Events(CeleryEvents):
    """Names the dispatcher; the application's `events_cls`."""

    dispatcher_cls = "workerkit.events:Dispatcher"
