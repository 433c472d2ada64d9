"""Mounted into the email worker's image by a test: the service as it is, with one slow task more."""

import time

from app.celery_app import app


@app.task(name="app.tasks.email.slow")
def slow(seconds: float) -> float:
    """Take some time."""
    time.sleep(seconds)
    return seconds
