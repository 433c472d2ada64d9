"""Lets a task be an `async def`: Celery's synchronous tracer gets a function that waits for the coroutine."""

import inspect
from contextvars import ContextVar
from functools import wraps
from typing import Any

from celery import _state
from celery.utils import threads

from workerkit.event_loop import run_async

_celery_state: Any = _state  # the stubs leave out the parts that are not public
_threads: Any = threads
# Whose current task and request Celery is to find; none: those of the thread or greenlet.
whose: ContextVar[Any] = ContextVar("whose", default=None)


def adapt(task: Any) -> bool:
    """Make a task's `run` wait for its coroutine; before Celery wraps it with retries, or they would come too early.

    Args:
        task: the class, before it is bound.

    Returns:
        Whether the task is a coroutine.
    """
    run = task.__dict__["run"]
    function = getattr(run, "__func__", run)
    if not inspect.iscoroutinefunction(function):
        return False

    @wraps(function)
    def wait(*args: Any, **kwargs: Any) -> Any:
        token = whose.set(_key())  # the coroutine, and what it starts, may run on another thread
        try:
            return run_async(function(*args, **kwargs))
        finally:
            whose.reset(token)

    task.run = staticmethod(wait) if isinstance(run, staticmethod) else wait
    return True


def find_by_context(task: Any) -> None:
    """Have Celery find the current task and its request in all that `gather`, `to_thread` and the like start."""
    for stack in (_celery_state._task_stack, task.request_stack):
        stack.__ident_func__ = _key


def _key() -> Any:
    found = whose.get()
    return _threads.get_ident() if found is None else found
