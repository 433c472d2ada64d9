"""The start-up checks as bootsteps of a worker's main process: before its pool starts, and when Redis is there."""

from collections.abc import Mapping
from itertools import chain
from typing import Any

import redis
import structlog
from celery import bootsteps

from taskclient.connection import connect
from workerkit.settings import WorkerSettings
from workerkit.startup import redis_server, surroundings, tasks
from workerkit.startup.problem import refuse_if_any

log = structlog.get_logger("worker")


def add(app: Any, settings: WorkerSettings) -> None:
    """Have the workers of an application checked when they start, before the steps that were added already."""
    app.steps["worker"].add(_before_the_pool(settings))
    checks = _when_connected(settings)
    for step in app.steps["consumer"]:
        step.requires = (*step.requires, checks)  # a worker that is refused was never ready, and published nothing
    app.steps["consumer"].add(checks)


def _before_the_pool(settings: WorkerSettings) -> type[bootsteps.Step]:
    production = settings.environment == "production"

    class StartupChecks(bootsteps.Step):
        def create(self, parent: Any) -> None:
            """Check what needs no broker; steps are created before any of them starts."""
            found = list(chain(tasks.problems(parent), surroundings.root(production=production)))
            refuse_if_any(found, settings.skip_startup_checks)
            refuse_if_any(surroundings.database(), settings.skip_startup_checks)
            _tell_about_draining(parent, settings.task_drain_seconds)

    return StartupChecks


def _when_connected(settings: WorkerSettings) -> type[bootsteps.StartStopStep]:
    class RedisChecks(bootsteps.StartStopStep):
        requires = ("celery.worker.consumer.connection:Connection",)
        passed = False

        def start(self, parent: Any) -> None:  # noqa: ARG002  - Celery's signature
            """Check at the first connection only: a running worker has tasks to finish."""
            if RedisChecks.passed:
                return
            try:
                info = _info(settings.redis())
            except (
                redis.ConnectionError,
                redis.TimeoutError,
            ) as error:
                # The broker is there, so this is another Redis, or a short outage: asked at the next connection.
                log.warning("Redis cannot be checked yet", error=str(error))
                return
            found = redis_server.problems(info, production=settings.environment == "production")
            refuse_if_any(found, settings.skip_startup_checks)
            RedisChecks.passed = True

    return RedisChecks


def _info(url: str) -> Mapping[str, Any]:
    client = connect(url)
    try:
        return client.info()
    except redis.ResponseError as error:
        log.warning("Redis cannot be checked: this user may not ask for INFO", error=str(error))
        return {}
    finally:
        client.close()


def _tell_about_draining(worker: Any, drain_seconds: float) -> None:
    limits = [tasks.limits_of(task, worker)[1] or 0 for task in worker.app.tasks.values()]
    if limits and drain_seconds < max(limits):
        log.info(
            "tasks that run on when the worker stops are put back and run again",
            drain_seconds=drain_seconds,
            longest_time_limit=max(limits),
        )
