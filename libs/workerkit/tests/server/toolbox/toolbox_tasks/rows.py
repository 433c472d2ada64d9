"""Tasks that write rows, each number once however often it is tried."""

import asyncio
import os
import time

from celery.exceptions import SoftTimeLimitExceeded
from sqlalchemy import text
from toolbox_app import app

from workerkit.database import configure, get_sync_db, get_task_session
from workerkit.event_loop import run_async

if "DATABASE_URL" in os.environ:
    configure(os.environ["DATABASE_URL"], application_name="toolbox")

_INSERT = text("INSERT INTO row (number, process) VALUES (:number, pg_backend_pid()) ON CONFLICT DO NOTHING")


@app.task(name="app.tasks.toolbox.write")
def write(number: int, seconds: float = 0) -> int:
    """Write a row; gives the process that wrote it."""
    with get_sync_db() as session:
        session.execute(_INSERT, {"number": number})
        time.sleep(seconds)
    return os.getpid()


@app.task(name="app.tasks.toolbox.write_async")
def write_async(number: int, seconds: float = 0) -> int:
    """Do the same in a coroutine."""
    run_async(_write(number, seconds))
    return os.getpid()


async def _write(number: int, seconds: float) -> None:
    async with get_task_session() as session:
        await session.execute(_INSERT, {"number": number})
        await asyncio.sleep(seconds)


@app.task(name="app.tasks.toolbox.dawdle", soft_time_limit=1)
def dawdle(number: int) -> str:
    """Run into the soft time limit in the middle of a statement."""
    try:
        with get_sync_db() as session:
            session.execute(_INSERT, {"number": number})
            session.execute(text("SELECT pg_sleep(20)"))
    except SoftTimeLimitExceeded:
        return "cut off"
    return "slept"


@app.task(name="app.tasks.toolbox.dawdle_async", soft_time_limit=1)
def dawdle_async(number: int) -> str:
    """Do the same in a coroutine."""
    try:
        run_async(_dawdle(number))
    except SoftTimeLimitExceeded:
        return "cut off"
    return "slept"


async def _dawdle(number: int) -> None:
    async with get_task_session() as session:
        await session.execute(_INSERT, {"number": number})
        await session.execute(text("SELECT pg_sleep(20)"))
