"""A worker whose tasks count their runs, so that a second effect shows."""

import celeryconfig
from workerkit.app import create_app
from workerkit.settings import WorkerSettings

app = create_app("effects", WorkerSettings(), celeryconfig, tasks_package="effect_tasks")
