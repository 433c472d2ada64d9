"""Beat's Celery application: `celery -A app.celery_app beat`."""

import celeryconfig
from workerkit.app import create_app
from workerkit.settings import WorkerSettings

app = create_app("beat", WorkerSettings(), celeryconfig)
