"""A worker with tasks that show what workerkit does."""

import celeryconfig
from workerkit.app import create_app
from workerkit.settings import WorkerSettings

app = create_app("demo", WorkerSettings(), celeryconfig, tasks_package="demo_tasks")
