"""A worker whose tasks use what workerkit offers to a task's body."""

import celeryconfig
from workerkit.app import create_app
from workerkit.settings import WorkerSettings

app = create_app("toolbox", WorkerSettings(), celeryconfig, tasks_package="toolbox_tasks")
