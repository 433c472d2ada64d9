"""Celery's interface to the pool for coroutines: the setting `worker_pool` names `AsyncPool`.

How to find one's way: it is the pool for short tasks, `workerkit.short_tasks`, whose processes run their messages side
by side. An `AsyncChild` has one event loop. Each message has a `Job`, and one of the `greenlets`, in which Celery's
tracer runs; the task's coroutine is stepped there, and the futures that it awaits go up to the loop. `job` also knows
how a coroutine is stopped; `isolation` keeps the tasks' requests apart; `links` and `results` wait for Redis there.
"""

from importlib.util import find_spec
from typing import Any

from celery.exceptions import ImproperlyConfigured

if find_spec("greenlet") is None:
    raise ImproperlyConfigured(
        "the pool for coroutines needs greenlet: write workerkit[coroutines] into the service's requirements.in, then "
        "make lock"
    )

from workerkit.async_tasks import isolation
from workerkit.async_tasks.child import AsyncChild
from workerkit.short_tasks.pool import TaskPool
from workerkit.short_tasks.process import Process
from workerkit.short_tasks.table import Table

_PATIENCE_SECONDS = 0.3  # a coroutine that has been at work for so long keeps the loop from ending it
_MOST_COROUTINES = 1000  # fewer than the finished messages that a child remembers


class AsyncPool(TaskPool):
    """Processes that claim for themselves, each with an event loop."""

    kind = AsyncChild
    name = "the pool for coroutines"

    def __init__(self, limit: int, *, app: Any, **options: Any) -> None:
        isolation.refuse_fast_locals()
        _refuse_what_blocks(app)
        self.coroutines = _coroutines(app)
        super().__init__(limit, app=app, **options)

    def _new_table(self, children: int, tasks: list[str]) -> Table:
        return Table(children, tasks, width=self.coroutines, patience=_PATIENCE_SECONDS)

    def end_task(self, process: Process, tag: str, number: object) -> bool:
        """Cancel one task; only if it keeps the event loop, its process is killed."""
        if self._blocks(process, tag):
            return super().end_task(process, tag, number)
        process.order(self.number, terminated=[(tag, number)])
        return False

    def interrupt_task(self, process: Process, tag: str) -> None:
        """Do with a task what its soft time limit would."""
        if self._blocks(process, tag):
            super().interrupt_task(process, tag)
        else:
            process.order(self.number, terminated=[(tag, "soft")])

    def _blocks(self, process: Process, tag: str) -> bool:
        return process.slot.stepped == tag and process.slot.seconds >= _PATIENCE_SECONDS

    def _get_info(self) -> dict[str, Any]:
        return {**super()._get_info(), "coroutines-per-process": self.coroutines}


def _refuse_what_blocks(app: Any) -> None:
    """A task that does not await would stop all others.

    Raises:
        ImproperlyConfigured: naming those tasks.
    """
    tasks = {name: task for name, task in app.tasks.items() if getattr(task, "contract", None) is not None}
    plain = sorted(name for name, task in tasks.items() if not task.is_coroutine)
    if plain:
        raise ImproperlyConfigured(
            f"the pool for coroutines runs only what is written with async def, and these tasks are not: "
            f"{', '.join(plain)}. Write them so, with await asyncio.to_thread(...) around what blocks, or move them to "
            "another service, or use another worker_pool"
        )


def _coroutines(app: Any) -> int:
    found = app.conf.worker_coroutines
    if isinstance(found, bool) or not isinstance(found, int) or not 1 <= found <= _MOST_COROUTINES:
        raise ImproperlyConfigured(
            f"worker_coroutines is {found!r}; it says how many coroutines run at a time in each process, from 1 to "
            f"{_MOST_COROUTINES}"
        )
    return found
