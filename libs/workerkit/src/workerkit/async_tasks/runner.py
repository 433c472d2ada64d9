"""Runs one claimed message in its job's greenlet, by Celery's own tracer."""

from typing import Any

import structlog
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from workerkit.async_tasks.job import Job, current
from workerkit.short_tasks.delivered import Delivered
from workerkit.short_tasks.estate import REVOKED
from workerkit.short_tasks.plan import Plan
from workerkit.short_tasks.runner import Runner

log = structlog.get_logger("worker")


class AsyncRunner(Runner):
    """As for short tasks, but many messages are on their way at a time, each with a job in its context."""

    def _trace(self, plan: Plan, message: Delivered, request: Any) -> None:
        job = _job()
        try:
            super()._trace(plan, message, request)
        finally:
            job.finish()

    def _enter(self, plan: Plan, message: Delivered, soft: float, hard: float) -> None:
        _job().begin(plan, message, soft, hard)

    def _leave(self) -> None:
        _job().leave()

    def _failed(self, request: Any, failure: Any, *, escaped: bool) -> None:
        job = _job()
        if job.stopped and job.revoked:
            request._announce_revoked("terminated", True, job.revoked[0], False)  # acknowledges it, too
            self._flush_soon()
        else:
            super()._failed(request, failure, escaped=escaped)

    def give_up(self, job: Job, why: str, value: Any) -> None:
        """Settle a message whose coroutine is never resumed.

        Args:
            job: of the message.
            why: `TIME_LIMIT` or `REVOKED`.
            value: the hard time limit in seconds, or the signal that was asked for.
        """
        tag = str(job.tag)
        try:
            request = self._request(job.plan, job.message)
            if why == REVOKED:
                request._announce_revoked("terminated", True, value, False)
            else:
                request.on_timeout(soft=False, timeout=value)
        except (RedisError, OSError, OperationalError) as error:
            log.warning("the end of a task could not be told", error=str(error))
        except Exception:
            log.exception("the end of a message cannot be told")
        if tag in self._holder.books.held:
            self._holder.decide("crash", tag)
        self._flush_soon()
        self._slot.end(job.tag, job.plan.place)
        job.finish()


def _job() -> Job:
    job = current.get()
    if job is None:
        raise RuntimeError("a message is run outside of a job")
    return job
