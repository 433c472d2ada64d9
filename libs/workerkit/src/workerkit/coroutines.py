"""Lets a task be an `async def`: Celery's synchronous tracer gets a function that waits for the coroutine."""

import inspect
from functools import wraps
from typing import Any

from workerkit.event_loop import run_async


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
        return run_async(function(*args, **kwargs))

    task.run = staticmethod(wait) if isinstance(run, staticmethod) else wait
    return True
