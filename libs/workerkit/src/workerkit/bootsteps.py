"""What a worker does at each connection to the broker: publish what it offers, report its health, look for SIGTERM."""

from functools import partial
from typing import Any

import structlog
from celery import bootsteps
from celery.concurrency import solo
from celery.worker import state
from redis.exceptions import ResponseError

from workerkit import schedule
from workerkit.catalog import REFRESH_SECONDS, Catalog
from workerkit.drain import Drain
from workerkit.hard_limit import kill_at_once
from workerkit.health import DISCONNECTED, DRAINING, READY
from workerkit.health_file import Health
from workerkit.timers import PAUSE_SECONDS, Repeated, drop_cancelled

log = structlog.get_logger("worker")
_TICK_SECONDS = 1.0
_LOOK_SECONDS = 0.2  # until a SIGTERM is acted upon


def connection_step(catalog: Catalog, health: Health, drain: Drain) -> type[bootsteps.StartStopStep]:
    """The consumer bootstep of a service: it starts at each connection and stops at each loss of it."""

    class ConnectionStep(bootsteps.StartStopStep):
        # All steps that talk to the broker, so that ready means that each of them has reached it.
        requires = (
            "celery.worker.consumer.tasks:Tasks",
            "celery.worker.consumer.heart:Heart",
            "celery.worker.consumer.control:Control",
            "celery.worker.consumer.gossip:Gossip",
        )

        def __init__(self, c: Any, **options: Any) -> None:
            super().__init__(c, **options)
            self._repeated = Repeated()

        def start(self, c: Any) -> None:
            _publish(c.app, catalog)
            kill_at_once(c.pool)
            if isinstance(c.pool, solo.TaskPool):
                health.excused = lambda: bool(state.active_requests)
            self._repeated.begin(
                c.timer,
                (_TICK_SECONDS, health.tick),
                (_LOOK_SECONDS, partial(drain.look, c)),
                (PAUSE_SECONDS, partial(drop_cancelled, c.timer)),
                # The pool looks when a process closes its files, maybe just before it has ended; then again after 5 s.
                (_TICK_SECONDS, c.pool.maintain_pool),
                (REFRESH_SECONDS, catalog.look),
            )
            c.call_soon(drain.look, c)  # before the loop asks for the first message
            health.enter(DRAINING if drain.begun else READY)

        def stop(self, c: Any) -> None:  # noqa: ARG002  - Celery's signature
            health.enter(DRAINING if drain.begun else DISCONNECTED)

    return ConnectionStep


def _publish(app: Any, catalog: Catalog) -> None:
    try:
        catalog.publish()
        schedule.publish(app, catalog.service, catalog.url)
    except ResponseError:
        # A full Redis, or an ACL without these keys: the queue can still be worked off.
        log.exception("catalog and schedule are not published")
