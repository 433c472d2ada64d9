"""Celery's consumer, but no message ends it, and none is thrown away."""

from collections.abc import Callable
from functools import partial
from typing import Any

import structlog
from celery.worker import consumer, state
from redis.exceptions import RedisError

from taskclient.letters import UNREADABLE
from workerkit import verdicts

log = structlog.get_logger("worker")
_EVENT_SECONDS = 0.1
_Consumer: Any = consumer.Consumer  # the stubs leave out the parts that are not public
_state: Any = state


class Consumer(_Consumer):  # type: ignore[misc]
    """Parks messages of unknown tasks, buries unreadable ones; each broker has a consumer of its own made of it."""

    on_task_request: Any
    _flush_planned = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        hand_over = getattr(self.controller, "_process_task", None)
        if hand_over is not None:
            guarded = partial(self._hand_over, hand_over)
            if self.on_task_request == hand_over:  # else it waits for a slot first, and calls the controller's then
                self.on_task_request = guarded
            self.controller._process_task = guarded

    def _hand_over(self, hand_over: Callable[[Any], None], request: Any) -> None:
        """Give a task to the pool; one that cannot be given must neither end the worker nor keep its slot."""
        try:
            hand_over(request)
        except (RedisError, OSError):
            self._forget(request)
            request.reject(requeue=True)
        except Exception as error:
            log.exception("a task could not be given to the pool", task_id=request.id)
            self._forget(request)
            verdicts.bury(request.message, UNREADABLE, f"{type(error).__name__}: {error}")

    def _forget(self, request: Any) -> None:
        _state.task_ready(request)
        if self.controller.semaphore is not None:
            self.controller.semaphore.release()

    def on_unknown_task(self, body: Any, message: Any, exc: Exception) -> None:  # noqa: ARG002  - Celery's signature
        """Park it: during a deployment another version of the worker knows the task."""
        name = str(message.headers.get("task") or message.payload["task"])  # in the body in protocol 1
        log.warning("a message for a task that this worker does not know is parked", task=name)
        verdicts.park(message, name)

    def on_unknown_message(self, body: Any, message: Any) -> None:  # noqa: ARG002
        """Bury it."""
        verdicts.bury(message, UNREADABLE, "no message of Celery's protocol")

    def on_invalid_task(self, body: Any, message: Any, exc: Exception) -> None:  # noqa: ARG002
        """Bury it."""
        verdicts.bury(message, UNREADABLE, str(exc))

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        """Bury it."""
        verdicts.bury(message, UNREADABLE, str(exc))

    def on_send_event_buffered(self) -> None:
        """Collect events for a moment: Flower may see them a tenth of a second later, Redis gets fewer commands."""
        if self.hub is not None and not self._flush_planned:
            self._flush_planned = True
            self.hub.call_later(_EVENT_SECONDS, self._flush_now)

    def _flush_now(self) -> None:
        self._flush_planned = False
        self._flush_events()

    def on_close(self) -> None:
        """The connection is lost; Celery forgets what was delivered over it and has not begun."""
        self._flush_planned = False
        super().on_close()
