"""Events of tasks from the processes that run them, in the worker's name; sent a few times a second."""

import base64
import json
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import structlog
from celery.utils.time import utcoffset
from kombu.utils.json import dumps
from redis.exceptions import RedisError

from workerkit.events import DEAF_SECONDS
from workerkit.short_tasks.address import Address
from workerkit.transport.link import Link

log = structlog.get_logger("worker")
_FLUSH_SECONDS = 0.1
_MOST = 10_000  # kept while Redis is away


class Events:
    """Stands for Celery's event dispatcher. What nobody listens to is not even made: Redis says how many got it.

    Args:
        app: whose clock and names.
        hostname: the worker's.
        pid: the worker's.
        wanted: whether the worker sends events of tasks.
    """

    def __init__(self, app: Any, hostname: str, pid: int, wanted: Callable[[], bool]) -> None:
        self.enabled = wanted()
        self._app, self._wanted = app, wanted
        self._common = {"hostname": hostname, "pid": pid, "utcoffset": utcoffset()}
        self._buffer: deque[dict[str, Any]] = deque(maxlen=_MOST)
        self._filled = threading.Event()
        self._link: Link | None = None

    def start(self, address: Address) -> None:
        """Begin to send, in a thread of its own: a task that runs long is to be seen at once."""
        threading.Thread(target=self._run, args=(address,), name="events", daemon=True).start()

    def send(self, kind: str, **fields: Any) -> None:
        """Collect an event."""
        known = {"type": kind, "timestamp": time.time(), "clock": self._app.clock.forward(), **self._common}
        self._buffer.append({**known, **fields})
        if not self._filled.is_set():
            self._filled.set()

    def _run(self, address: Address) -> None:
        while True:
            if self.enabled and self._filled.wait(DEAF_SECONDS):
                time.sleep(_FLUSH_SECONDS)
            elif not self.enabled:
                time.sleep(DEAF_SECONDS)
            self.flush(address)

    def flush(self, address: Address) -> None:
        """Send what was collected; sending nothing also shows whether somebody listens."""
        self._filled.clear()
        if not self._wanted():
            self.enabled = False
            return
        events = [self._buffer.popleft() for _ in range(len(self._buffer))]
        if self.enabled and not events:
            return
        try:
            if self._link is None:
                self._link = address.connect()
            self.enabled = self._link.command("PUBLISH", address.events, self._message(events)) > 0
        except (RedisError, OSError):
            link, self._link = self._link, None
            if link is not None:
                link.close()
            self._buffer.extendleft(reversed(events))
            time.sleep(DEAF_SECONDS)

    def _message(self, events: list[dict[str, Any]]) -> str:
        info = {"exchange": self._app.conf.event_exchange, "routing_key": "task.multi"}
        properties = {"delivery_mode": 1, "delivery_info": info, "priority": 0, "body_encoding": "base64"}
        return json.dumps(
            {
                "body": base64.b64encode(dumps(events).encode()).decode(),
                "content-type": "application/json",
                "content-encoding": "utf-8",
                "headers": {"hostname": self._common["hostname"]},
                "properties": {**properties, "delivery_tag": f"{self._common['pid']}:{self._app.clock.value}"},
            }
        )
