"""A worker whose processes run coroutines side by side."""

import os

import celeryconfig
from workerkit import database
from workerkit.app import create_app
from workerkit.settings import WorkerSettings

if url := os.environ.get("DATABASE_URL"):
    database.configure(url, application_name="aio")
app = create_app("aio", WorkerSettings(), celeryconfig, tasks_package="async_tasks_tasks")
if os.environ.get("WITH_A_RATE_LIMIT"):

    @app.task(name="app.tasks.aio.rated", rate_limit="10/s")
    async def rated() -> None:
        """Not for this pool."""


if os.environ.get("WITH_A_PLAIN_TASK"):

    @app.task(name="app.tasks.aio.plain")
    def plain() -> None:
        """Not for this pool."""
