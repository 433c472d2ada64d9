"""A worker with tasks whose rate and whose wait are limited."""

import celeryconfig
from workerkit.app import create_app
from workerkit.settings import WorkerSettings

app = create_app("limits", WorkerSettings(), celeryconfig, tasks_package="limits_tasks")
