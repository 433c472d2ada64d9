"""The farm worker's Celery application."""

import celeryconfig
from workerkit.app import create_app
from workerkit.settings import WorkerSettings

settings = WorkerSettings()
app = create_app("farm", settings, celeryconfig)
