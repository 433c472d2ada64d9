"""Flower's Celery application: `celery -A app.celery_app flower --conf=flowerconfig.py`."""

import celeryconfig
from workerkit.app import create_app

from app.config import settings

app = create_app("flower", settings, celeryconfig)
