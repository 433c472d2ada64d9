"""Keeps apart what Celery knows of the tasks that run at the same time on one thread."""

from typing import Any

from celery.exceptions import ImproperlyConfigured
from celery.utils import threads

from workerkit.coroutines import find_by_context

_threads: Any = threads  # the stubs leave out the parts that are not public


def refuse_fast_locals() -> None:
    """Celery's environment variable USE_FAST_LOCALS has it keep requests by thread alone.

    Raises:
        ImproperlyConfigured: it is set.
    """
    if _threads.USE_FAST_LOCALS:
        raise ImproperlyConfigured("the pool for coroutines needs the environment variable USE_FAST_LOCALS to be unset")


def install(app: Any) -> None:
    """Have Celery find the current task, and each task its request, by the job in whose context the code runs."""
    for task in app.tasks.values():
        find_by_context(task)
