"""The maintenance worker's Celery application: `celery -A app.celery_app worker`."""

import celeryconfig
from app.config import settings
from datastore.address import database_url
from workerkit.app import create_app
from workerkit.database import configure

app = create_app("maintenance", settings, celeryconfig)
configure(
    database_url(),
    application_name="worker-celery-maintenance",
    pool_size=2,
    statement_timeout=settings.database_statement_seconds,
)
