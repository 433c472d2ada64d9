"""A worker whose tasks are for callers of the gateway."""

import celeryconfig
from workerkit.app import create_app
from workerkit.settings import WorkerSettings

app = create_app("clerk", WorkerSettings(), celeryconfig, tasks_package="clerk_tasks")
