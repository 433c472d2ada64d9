"""Celery's Redis result backend, but a task that has finished waits also for a Redis that is full."""

from celery.backends.redis import RedisBackend
from redis import exceptions

# Loading its data, full, a replica until the failover; the stubs describe an older redis-py.
_PASSING = tuple(vars(exceptions)[name] for name in ("BusyLoadingError", "OutOfMemoryError", "ReadOnlyError"))


class ResultBackend(RedisBackend):
    """Repeats what Redis refuses for now, too: else a task that has run would end as a failure."""

    def exception_safe_to_retry(self, exc: Exception) -> bool:
        """Whether storing the result again may succeed."""
        return isinstance(exc, _PASSING) or super().exception_safe_to_retry(exc)
