"""A worker that starts the workflow and runs its first steps; it does not know the mill's code."""

import celeryconfig
from workerkit.app import create_app
from workerkit.settings import WorkerSettings

app = create_app("farm", WorkerSettings(), celeryconfig, tasks_package="farm_tasks")
