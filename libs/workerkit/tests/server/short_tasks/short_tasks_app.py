"""A worker whose processes claim for themselves."""

import celeryconfig
from workerkit.app import create_app
from workerkit.settings import WorkerSettings

app = create_app("short", WorkerSettings(), celeryconfig, tasks_package="short_tasks_tasks")
