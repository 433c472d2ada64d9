"""This template's tasks with the database, as its services write them."""

import os

from compare.systems.database import ADDRESS, INSERT, KEYS, SELECT
from compare.systems.record import end
from workerkit.database import configure, get_sync_db, get_task_session

_POOL_SIZE = 10 if "Async" in os.environ.get("CELERYCONFIG_WORKER_POOL", "") else 2  # as its documents advise

configure(ADDRESS, application_name="bench", pool_size=_POOL_SIZE)


def visit(number: int) -> None:
    """Read a customer and note a visit."""
    with get_sync_db() as session:
        customer = session.execute(SELECT, {"id": number % KEYS}).one()
        session.execute(INSERT, {"customer": customer.id, "number": number})
    end(number)


async def visit_async(number: int) -> None:
    """Read a customer and note a visit."""
    async with get_task_session() as session:
        customer = (await session.execute(SELECT, {"id": number % KEYS})).one()
        await session.execute(INSERT, {"customer": customer.id, "number": number})
    end(number)
