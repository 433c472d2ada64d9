"""After a lost connection RabbitMQ delivers again what runs here, or has just run: it is not run again."""

import hashlib
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import structlog
from celery.worker import state

log = structlog.get_logger("worker")
_MOST = 10_000  # messages remembered
_ON_THE_WAY_SECONDS = 10.0  # an acknowledgement that was sent so shortly before the loss may not have arrived

_UNSURE_SECONDS = 3600.0  # after that it is more likely another message that looks the same


class Redelivery:
    """What one worker process knows about messages that it has had before.

    It tells messages apart by all that their sender wrote, so a task that was sent again under its old id with other
    headers (a retry, a replay) is another message.
    """

    def __init__(self) -> None:
        self._sent: OrderedDict[bytes, float] = OrderedDict()  # acknowledged over the present connection, and when
        self._unsure: OrderedDict[bytes, float] = OrderedDict()  # finished then, but RabbitMQ may not know

    def connection_lost(self) -> None:
        """What was acknowledged just before may not have arrived."""
        limit = time.monotonic() - _ON_THE_WAY_SECONDS
        for key, sent in self._sent.items():
            if sent >= limit:
                _remember(self._unsure, key, sent)
        self._sent.clear()

    def watch(self, message: Any, raw: bytes) -> None:
        """Remember how the acknowledgement of a message goes; for each one that is going to run."""
        key = _key(raw)
        ack: Callable[..., None] = message.ack

        def remembered(*args: Any, **options: Any) -> None:
            _remember(self._unsure, key, time.monotonic())
            ack(*args, **options)  # raises if the connection is gone
            self._unsure.pop(key, None)
            _remember(self._sent, key, time.monotonic())

        message.ack = remembered

    def settled(self, message: Any, raw: bytes, task_id: str) -> bool:
        """Whether a redelivered message needs no run; then it is acknowledged, now or when its run ends."""
        key = _key(raw)
        if self._unsure.get(key, -math.inf) > time.monotonic() - _UNSURE_SECONDS:
            log.info("a message whose task has finished here is acknowledged again", task_id=task_id)
            self.watch(message, raw)
            message.ack()
            return True
        request: Any = state.requests.get(task_id)
        if request is None or request.acknowledged or request not in state.active_requests:
            return False
        if getattr(request.message, "raw_key", None) != key:
            return False  # another message of the same task's id
        log.info("a task that is still running here is not run again", task_id=task_id)
        _adopt(request, message)
        return True


def mark(message: Any, raw: bytes) -> None:
    """Note on a message what tells it from others."""
    message.raw_key = _key(raw)


def _adopt(request: Any, message: Any) -> None:
    """Settle the new delivery, not the old one, when the task ends."""
    old = request.message
    for name in ("channel", "delivery_tag", "delivery_info", "_state"):
        setattr(old, name, getattr(message, name))


def _key(raw: bytes) -> bytes:
    return hashlib.sha1(raw, usedforsecurity=False).digest()


def _remember(known: "OrderedDict[bytes, Any]", key: bytes, value: Any) -> None:
    known[key] = value
    known.move_to_end(key)
    while len(known) > _MOST:
        known.popitem(last=False)
