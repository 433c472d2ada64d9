"""A worker whose tasks a dashboard shows: forms of every kind, progress, failures, a schedule."""

import celeryconfig
from workerkit.app import create_app
from workerkit.settings import WorkerSettings

app = create_app("shop", WorkerSettings(), celeryconfig, tasks_package="shop_tasks")
