"""Checks of where a worker runs: as which user, and whether it can reach its database."""

import os
import sys
import time
from collections.abc import Iterator

import structlog

from workerkit.startup.problem import Problem

log = structlog.get_logger("worker")
PATIENCE_SECONDS = 15.0  # a database that starts together with the worker needs some
_CONNECT_SECONDS = 3
_PAUSE_SECONDS = 1.0


def root(*, production: bool) -> Iterator[Problem]:
    """A worker in production that runs as root; in development that is often how one runs things in a container."""
    if production and os.geteuid() == 0:
        yield Problem(
            "root",
            "it runs as root, and so would whoever breaks into a task: run it as another user, as the images do "
            "(user: in docker-compose.yml, runAsNonRoot in Kubernetes)",
        )


def database(patience: float = PATIENCE_SECONDS) -> Iterator[Problem]:
    """The database cannot be reached for `patience` seconds; services without one have nothing to reach."""
    module = sys.modules.get("workerkit.database")  # an extra of the library, so not imported here
    if module is None:
        return
    end = time.monotonic() + patience
    while (error := module.unreachable(_CONNECT_SECONDS)) is not None:
        if time.monotonic() >= end:
            yield Problem(
                "database",
                f"the database has not been reached for {patience:g} s: {error}. Check that it runs, DATABASE_URL and "
                "DATABASE_PASSWORD",
            )
            return
        log.warning("the database cannot be reached yet", error=error)
        time.sleep(_PAUSE_SECONDS)
