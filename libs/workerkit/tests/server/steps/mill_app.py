"""A worker that runs the workflow's later steps; it does not know the farm's code."""

import celeryconfig
from workerkit.app import create_app
from workerkit.settings import WorkerSettings

app = create_app("mill", WorkerSettings(), celeryconfig, tasks_package="mill_tasks")
