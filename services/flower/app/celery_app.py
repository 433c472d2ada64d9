"""Flower's Celery application: `celery -A app.celery_app flower --conf=flowerconfig.py`."""

import celeryconfig
from app.config import settings
from workerkit.app import create_app

app = create_app("flower", settings, celeryconfig)
