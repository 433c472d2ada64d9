"""Beat's scheduler: RedBeat, which keeps its schedule in Redis and may run twice, with a health file."""

from typing import Any

from redbeat import RedBeatScheduler

from workerkit.health import READY, Health, health_file


class Scheduler(RedBeatScheduler):  # type: ignore[misc]  # redbeat publishes no types
    """Ready while it ticks; a second beat that waits for the lock stays in phase starting."""

    def __init__(self, app: Any, *args: Any, **kwargs: Any) -> None:
        self._health = Health(health_file())
        self._health.start()
        self._ready = False
        super().__init__(app, *args, **kwargs)

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Send what is due, and say that the loop turned."""
        seconds: float = super().tick(*args, **kwargs)
        if self._ready:
            self._health.tick()
        else:
            self._ready = True
            self._health.enter(READY)
        return seconds
