"""The email worker's Celery application: `celery -A app.celery_app worker`."""

import celeryconfig
from workerkit.app import create_app

from app.config import settings

app = create_app("email", settings, celeryconfig)
