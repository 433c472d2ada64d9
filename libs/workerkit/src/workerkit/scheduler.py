"""Beat's scheduler: RedBeat, which keeps its schedule in Redis and may run twice, with a health file."""

from types import SimpleNamespace
from typing import Any

import structlog
from redbeat import RedBeatScheduler
from redbeat.schedulers import acquire_distributed_beat_lock
from redis.exceptions import LockNotOwnedError

from workerkit.health import READY, STARTING, path
from workerkit.health_file import Health

log = structlog.get_logger("beat")


class Scheduler(RedBeatScheduler):  # type: ignore[misc]  # redbeat publishes no types
    """Ready while it ticks; a second beat that waits for the lock stays in phase starting."""

    def __init__(self, app: Any, *args: Any, **kwargs: Any) -> None:
        self._health = Health(path())
        self._health.start()
        self._ready = False
        super().__init__(app, *args, **kwargs)

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Send what is due, and say that the loop turned."""
        try:
            seconds: float = super().tick(*args, **kwargs)
        except LockNotOwnedError:  # the broker was away for longer than the lock lasts, and the tick waited for it
            log.warning("the lock is lost; waiting for it as a second beat does")
            self._ready = False
            self._health.enter(STARTING)
            acquire_distributed_beat_lock(SimpleNamespace(scheduler=self))  # it asks for what has a scheduler
            return 0.0
        if self._ready:
            self._health.tick()
        else:
            self._ready = True
            self._health.enter(READY)
        return seconds
