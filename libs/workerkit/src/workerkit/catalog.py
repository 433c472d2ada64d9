"""What a worker tells the catalog: the contracts of its tasks, and every minute that it is still there."""

from inspect import cleandoc
from threading import Thread
from typing import Any

import structlog
from redis.exceptions import RedisError

from taskclient.catalog import CatalogEntry, Limits, RetryPolicy, publish_catalog, refresh
from taskclient.connection import connect
from taskclient.letters import SERVICES_KEY
from workerkit.settings import WorkerSettings

REFRESH_SECONDS = 60.0

log = structlog.get_logger("worker")


class Catalog:
    """The catalog entries of one service.

    Args:
        app: its application.
        service: its name, as in `email`.
        settings: say its version, its owner, and how long its entries count without a worker.
    """

    def __init__(self, app: Any, service: str, settings: WorkerSettings) -> None:
        self._app, self.service = app, service
        self.owner, self.major = settings.service_owner, settings.service_major
        self._version, self._days = settings.version, settings.task_catalog_days
        self.url = settings.redis()
        self._refreshing: Thread | None = None

    def entries(self) -> list[CatalogEntry]:
        """The contracts of all tasks of the service."""
        tasks = (task for task in self._app.tasks.values() if getattr(task, "contract", None) is not None)
        return [self._entry(task) for task in tasks]

    def publish(self) -> None:
        """Write them all; for the boot.

        Raises:
            redis.RedisError: Redis could not be reached, or refused.
        """
        with connect(self.url) as client:
            publish_catalog(client, self.service, self.entries(), days=self._days)
            client.sadd(SERVICES_KEY, self.service)

    def look(self) -> None:
        """Refresh in a thread: the caller is the worker's event loop, and must not wait for a Redis that is away."""
        if self._refreshing is None or not self._refreshing.is_alive():
            self._refreshing = Thread(target=self.refresh, name="catalog", daemon=True)
            self._refreshing.start()

    def refresh(self) -> None:
        """Say that there still is a worker, and write the entries again if somebody has taken them out."""
        try:
            with connect(self.url) as client:
                known = refresh(client, self.service, days=self._days)
            if not known:
                self.publish()
        except RedisError as error:  # the next one is a minute away, and the entries count for days
            log.warning("the catalog is not refreshed", error=str(error))

    def _entry(self, task: Any) -> CatalogEntry:
        return CatalogEntry(
            name=task.name,
            queue=self._app.amqp.router.route({}, task.name)["queue"].name,
            service=self.service,
            description=cleandoc(task.__doc__ or ""),  # as Python 3.13 has it already
            parameters=task.contract.payload_schema(),
            result=task.contract.result_schema(),
            limits=Limits(soft=task.soft_time_limit, hard=task.time_limit),
            retry=_retry(task),
            idempotent=task.idempotent,
            idempotency_seconds=task.idempotency_seconds,
            max_queue_wait=task.max_queue_wait,
            version=self._version,
            owner=self.owner,
            major=self.major,
        )


def _retry(task: Any) -> RetryPolicy:
    most = task.max_retries
    bugs = task.max_retries_of_a_bug
    return RetryPolicy(
        max_retries=most,
        max_retries_of_a_bug=bugs if most is None else min(bugs, most),
        first_seconds=float(task.retry_backoff),
        longest_seconds=task.retry_backoff_max,
        jitter=task.retry_jitter,
    )
