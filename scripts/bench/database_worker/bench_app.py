"""The worker of the benchmark: a task that does one SELECT and one INSERT, in the way that BENCH_PATTERN names."""

import asyncio
import os

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

import celeryconfig
from workerkit.app import create_app
from workerkit.database import configure, get_sync_db, get_task_session
from workerkit.event_loop import run_async
from workerkit.settings import WorkerSettings

URL, PATTERN = os.environ["DATABASE_URL"], os.environ["BENCH_PATTERN"]
_SELECT = text("SELECT id, name FROM customer WHERE id = :id")
_INSERT = text("INSERT INTO visit (customer, number) VALUES (:customer, :number)")

app = create_app(f"bench-{PATTERN}", WorkerSettings(), celeryconfig, tasks_package="")
configure(URL, application_name=PATTERN, pool_size=int(os.environ["BENCH_POOL_SIZE"]))


def sync(number: int) -> None:
    """Use the process's pool."""
    with get_sync_db() as session:
        customer = session.execute(_SELECT, {"id": number % 100}).one()
        session.execute(_INSERT, {"customer": customer.id, "number": number})


def pooled_async(number: int) -> None:
    """Use the process's event loop, and the pool on it."""
    run_async(_pooled(number))


async def _pooled(number: int) -> None:
    async with get_task_session() as session:
        await _work(session, number)


def new_engine(number: int) -> None:
    """Make a loop, an engine and a connection, and throw them away."""
    asyncio.run(_alone(number))


async def _alone(number: int) -> None:
    engine = create_async_engine(URL, connect_args={"application_name": PATTERN})
    try:
        async with AsyncSession(engine) as session:
            await _work(session, number)
            await session.commit()
    finally:
        await engine.dispose()


async def _work(session: AsyncSession, number: int) -> None:
    customer = (await session.execute(_SELECT, {"id": number % 100})).one()
    await session.execute(_INSERT, {"customer": customer.id, "number": number})


@app.task(name="app.tasks.bench.visit", ignore_result=True)
def visit(number: int) -> None:
    """Read a customer and note a visit."""
    {"sync": sync, "async": pooled_async, "new-engine": new_engine}[PATTERN](number)
