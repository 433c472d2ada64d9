"""The template's subject in the pool for coroutines: the same tasks, each an `async def`."""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

from sqlalchemy import text

from chaos.worker.application import INSERT, app
from chaos.worker.bodies import COMMON, ONCE, name_of
from chaos.worker.record import note, task_id
from workerkit.database import get_task_session
from workerkit.once import once

Body = Callable[..., Coroutine[Any, Any, Any]]


async def sleep(seconds: float) -> None:
    """Run for a while; the effect comes last."""
    note("start")
    await asyncio.sleep(seconds)
    note("effect")
    note("end")


async def kill_worker() -> None:
    """Be a poison that takes the worker's main process and with it all that runs beside it."""
    note("start")
    await asyncio.sleep(0.5)  # so that its neighbours run
    os.kill(os.getppid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def _coroutine(body: Callable[..., Any]) -> Body:
    @wraps(body)
    async def run(*args: Any, **kwargs: Any) -> Any:
        return body(*args, **kwargs)

    return run


_bodies: dict[str, Body] = {name: _coroutine(body) for name, body in COMMON.items()}
_bodies |= {"sleep": sleep, "kill_worker": kill_worker}
for _name, _body in _bodies.items():
    app.task(name=name_of(_name), ignore_result=True)(_body)
for _name in ONCE:
    app.task(name=name_of(f"{_name}_once"), ignore_result=True, idempotent=True)(_bodies[_name])


@app.task(name=name_of("insert"), ignore_result=True)
async def insert(seconds: float) -> None:
    """Work for a while and write one row, together with the key that says that it is written."""
    note("start")
    await asyncio.sleep(seconds)
    async with get_task_session() as session:
        if await session.run_sync(once, f"chaos:{task_id()}"):
            await session.execute(text(INSERT), {"id": task_id()})
    note("end")
