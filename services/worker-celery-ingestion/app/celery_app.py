"""The ingestion worker's Celery application: `celery -A app.celery_app worker`."""

import celeryconfig
from app.config import settings
from workerkit.app import create_app

app = create_app("ingestion", settings, celeryconfig)
