"""Log lines about tasks: the context of every line, one line for each attempt, correlation from caller to callee."""

import random
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any

import structlog
from celery import Task, signals
from celery.utils.dispatch import Signal

from taskclient.message import CORRELATION_HEADER, redacted
from workerkit import log_context

log = structlog.get_logger("task")
_started = ContextVar("started", default=0.0)


def connect(*, arguments: bool, sample: float) -> None:
    """Listen to Celery's task signals.

    Args:
        arguments: show argument values in the log; otherwise only their names. They may be personal data.
        sample: share of the attempts that succeed, from 0 to 1, that have a line; all others always have one.
    """

    def bind(task: Task[..., Any], task_id: str, args: Any, kwargs: Any, **_: Any) -> None:
        request = task.request
        _started.set(time.perf_counter())
        log_context.enter(
            {
                "task_id": task_id,
                "task": task.name,
                "attempt": (request.retries or 0) + 1,
                "correlation_id": (request.headers or {}).get(CORRELATION_HEADER) or task_id,
            }
        )
        if arguments:
            log.info("task started", args=args, kwargs=kwargs)

    def succeeded(**_: Any) -> None:
        if sample >= 1 or random.random() < sample:  # noqa: S311 - no secret
            log.info("task succeeded", seconds=_seconds())

    signals.task_prerun.connect(bind, weak=False, dispatch_uid="workerkit.bind")
    signals.task_success.connect(succeeded, weak=False, dispatch_uid="workerkit.succeeded")
    for signal, handler in _HANDLERS.items():
        signal.connect(handler, dispatch_uid=f"workerkit.{handler.__name__}")


def _seconds() -> float:
    return round(time.perf_counter() - _started.get(), 4)


def _retrying(reason: Any, **_: Any) -> None:
    log.warning("task will be retried", reason=str(reason), seconds=_seconds())


def _failed(exception: BaseException, **_: Any) -> None:
    log.error("task failed", seconds=_seconds(), exc_info=exception)


def _unbind(**_: Any) -> None:
    log_context.leave()


def _stamp(headers: dict[str, Any], body: Any, **_: Any) -> None:
    """Hand the correlation id on to a task that this task sends, and keep its arguments out of the events."""
    if CORRELATION_HEADER not in headers:
        headers[CORRELATION_HEADER] = log_context.correlation_id() or headers.get("id")
    if isinstance(body, tuple):
        args, kwargs = body[0], body[1]
        headers["argsrepr"] = f"({len(args)} hidden)" if args else "()"
        headers["kwargsrepr"] = redacted(kwargs) if isinstance(kwargs, Mapping) else "hidden"


_HANDLERS: dict[Signal, Callable[..., Any]] = {
    signals.task_retry: _retrying,
    signals.task_failure: _failed,
    signals.task_postrun: _unbind,
    signals.before_task_publish: _stamp,
}
