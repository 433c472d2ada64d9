"""A worker whose tasks break what runs them."""

import celeryconfig
from workerkit.app import create_app
from workerkit.settings import WorkerSettings

app = create_app("delivery", WorkerSettings(), celeryconfig, tasks_package="delivery_tasks")
