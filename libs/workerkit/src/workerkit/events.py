"""Worker events that wait for nobody, are sent many at once, and are not made while nobody listens.

Flower misses a heartbeat rather than the worker a broken connection.

Celery sends its heartbeat with endless retries from the worker's loop. If that comes before the loop has noticed that
the broker is gone, the loop stands still until the broker is back: no probe, no SIGTERM, no time limit is looked after.
"""

import time
from typing import Any

from celery.app.events import Events as CeleryEvents
from celery.events.dispatcher import EventDispatcher

_MOST_BUFFERED = 1000  # the consumer flushes after a moment in any case
DEAF_SECONDS = 2.0  # after nobody was listening, events of tasks are left out for so long


class Dispatcher(EventDispatcher):
    """Sends an event once; one that cannot be sent is kept until the next connection.

    Redis says how many have got an event. While nobody has, only heartbeats ask whether somebody listens by now.
    """

    _deaf_until = 0.0

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"buffer_limit": _MOST_BUFFERED, **options})

    def send(self, type: str, *args: Any, **options: Any) -> Any:  # noqa: A002 - Celery's name
        """Send an event as Celery does, but without retries."""
        if self._deaf_until and type.startswith("task-") and time.monotonic() < self._deaf_until:
            return None
        return super().send(type, *args, **options | {"retry": False})

    def _publish(self, event: Any, producer: Any, *args: Any, **options: Any) -> None:
        send: Any = super()  # the stubs leave it out
        send._publish(event, producer, *args, **options)
        heard = getattr(getattr(producer, "channel", None), "heard", None)  # RabbitMQ does not say
        if heard is not None:
            self._deaf_until = 0.0 if heard else time.monotonic() + DEAF_SECONDS


class Events(CeleryEvents):
    """Names the dispatcher; the application's `events_cls`."""

    dispatcher_cls = "workerkit.events:Dispatcher"
