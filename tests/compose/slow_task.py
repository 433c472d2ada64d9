"""Mounted into the email worker's image by a test: the service as it is, with one slow task more."""

import asyncio

from app.celery_app import app


@app.task(name="app.tasks.email.slow")
async def slow(seconds: float) -> float:
    """Take some time."""
    await asyncio.sleep(seconds)
    return seconds
