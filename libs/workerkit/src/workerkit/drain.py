"""SIGTERM: stop taking messages, let running tasks finish for a while, put back what has not finished.

Celery's own soft shutdown sleeps in the signal handler for its whole time, whatever the tasks do. Here the worker's
loop keeps turning: results are stored and messages acknowledged, and the worker stops as soon as nothing runs.
"""

import os
import signal
import threading
import time
from typing import Any

import structlog
from celery import bootsteps, platforms
from celery.apps.worker import on_cold_shutdown  # type: ignore[attr-defined]  # not in its stubs
from celery.worker import state
from kombu.exceptions import OperationalError

from workerkit.health import DRAINING
from workerkit.health_file import Health

log = structlog.get_logger("worker")
_LOOK_SECONDS = 0.1
_LAST_RESORT_SECONDS = 5.0


class Drain:
    """The way from SIGTERM to the end of a worker.

    Args:
        seconds: how long running tasks may go on before they are put back on the queue.
        health: told when draining begins.
    """

    def __init__(self, seconds: float, health: Health) -> None:
        self._seconds = seconds
        self._health = health
        self._deadline: float | None = None
        self._connection: object | None = None  # the one on which draining began

    @property
    def begun(self) -> bool:
        """No more messages are taken."""
        return self._connection is not None

    def install(self, worker: Any) -> None:
        """Take over SIGTERM in the worker's main process."""

        def on_sigterm(*_: Any) -> None:
            # Only marks: a signal handler runs between any two lines of the loop, so it must not touch it.
            if self._deadline is not None:
                return
            self._deadline = time.monotonic() + self._seconds
            if getattr(worker.consumer, "connection", None) is None:
                _end("should_stop")  # there is no loop to turn, and nothing is held
            last_resort = threading.Timer(self._seconds + _LAST_RESORT_SECONDS, os.kill, (os.getpid(), signal.SIGQUIT))
            last_resort.daemon = True
            last_resort.start()

        platforms.signals["SIGTERM"] = on_sigterm

    def look(self, consumer: Any) -> None:
        """Drain if SIGTERM came, again if the connection is a new one; the loop calls it several times a second."""
        if self._deadline is None or self._connection is consumer.connection:
            return
        self._connection = consumer.connection
        self._health.enter(DRAINING)
        log.info("draining", running=len(state.reserved_requests), seconds=self._seconds)
        _stop_taking(consumer)
        consumer.timer.call_repeatedly(_LOOK_SECONDS, self._finish_if_due, (consumer,))

    def _finish_if_due(self, consumer: Any) -> None:
        if not state.reserved_requests:  # taken and not finished, whether a pool process has it yet or not
            _end("should_stop")
        elif self._deadline is not None and time.monotonic() >= self._deadline:
            log.warning("putting unfinished tasks back", running=len(state.reserved_requests))
            on_cold_shutdown(consumer.controller)
            _end("should_terminate")


def _end(flag: str) -> None:
    """Have Celery's loop end the worker with exit code 0."""
    vars(state)[flag] = 0


def _stop_taking(consumer: Any) -> None:
    try:
        consumer.task_consumer.cancel()
    except (OSError, OperationalError) as error:
        log.warning("the broker is away, nothing to cancel", error=str(error))


def step(drain: Drain) -> type[bootsteps.StartStopStep]:
    """The worker bootstep that installs `drain`; runs before the consumer's step, whose start never returns."""

    class DrainStep(bootsteps.StartStopStep):
        requires = ("celery.worker.components:Pool",)

        def start(self, worker: Any) -> None:
            drain.install(worker)

    return DrainStep
