"""Keeps apart what Celery knows of the tasks that run at the same time on one thread."""

from typing import Any

from celery import _state
from celery.exceptions import ImproperlyConfigured
from celery.utils import threads
from greenlet import getcurrent

from workerkit.async_tasks.job import current

_celery_state: Any = _state  # the stubs leave out the parts that are not public
_threads: Any = threads


def refuse_fast_locals() -> None:
    """Celery's environment variable USE_FAST_LOCALS has it keep requests by thread alone.

    Raises:
        ImproperlyConfigured: it is set.
    """
    if _threads.USE_FAST_LOCALS:
        raise ImproperlyConfigured("the pool for coroutines needs the environment variable USE_FAST_LOCALS to be unset")


def install(app: Any) -> None:
    """Have Celery find the current task, and each task its request, by the job in whose context the code runs.

    Celery's key is the greenlet. By a context variable they are found also in what `gather`, `to_thread` and the like
    start, and no task sees another's.
    """
    stacks = [_celery_state._task_stack, *(task.request_stack for task in app.tasks.values())]
    for stack in stacks:
        stack.__ident_func__ = _whose


def _whose() -> Any:
    return current.get() or getcurrent()
