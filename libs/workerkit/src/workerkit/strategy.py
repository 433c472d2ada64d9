"""What a worker asks before it runs a message: has it waited too long, and may its task start now?"""

import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from celery.worker import state
from celery.worker.strategy import default

from taskclient.letters import WAITED_TOO_LONG
from taskclient.urls import is_amqp
from workerkit import verdicts
from workerkit.broker import redis_url
from workerkit.queue_wait import epoch, waited
from workerkit.rate_limit import GRACE_SECONDS, RateLimit, connect

log = structlog.get_logger("worker")
_AMQP_GRACE_SECONDS = 1.5  # RabbitMQ delays by whole seconds
Headers = Mapping[str, Any]
Check = Callable[[Any, Headers], bool]  # (message, headers) -> the message is settled and must not be run


def strategy(task: Any, app: Any, consumer: Any, **options: Any) -> Callable[..., Any]:
    """Celery's strategy with the limits `max_queue_wait` and `global_rate_limit`; `WorkerTask.Strategy` names it.

    A task without them gets Celery's own handler and pays nothing.
    """
    run: Callable[..., Any] = default(task, app, consumer, **options)
    checks = checks_of(task)
    if not checks:
        return run

    def on_message(message: Any, body: Any, *callbacks: Any) -> Any:
        headers = message.headers if body is None else body  # the old protocol has them in the body
        if is_wanted(headers) and any(check(message, headers) for check in checks):
            return None
        return run(message, body, *callbacks)

    return on_message


def checks_of(task: Any) -> list[Check]:
    """What is asked before a message of this task is run; most tasks have none."""
    checks: list[Check] = []
    if task.max_queue_wait is not None:
        checks.append(_queue_wait(task.name, task.max_queue_wait))
    if task.global_rate_limit is not None:
        grace = _AMQP_GRACE_SECONDS if is_amqp(str(task.app.conf.broker_url)) else GRACE_SECONDS
        checks.append(_rate(RateLimit(connect(redis_url()), task.name, task.global_rate_limit, grace=grace)))
    return checks


def is_wanted(headers: Headers) -> bool:
    """Neither expired nor revoked; Celery's handler settles those that are, so they need no start."""
    expires = epoch(headers.get("expires"))
    return headers.get("id") not in state.revoked and (expires is None or expires > time.time())


def _queue_wait(task: str, limit: float) -> Check:
    def bury(message: Any, headers: Headers) -> bool:
        seconds = waited(headers, time.time())
        if seconds is None or seconds <= limit:
            return False
        error = f"{task} was not run: it waited {seconds:,.1f} s for a worker, and its max_queue_wait is {limit:,} s"
        log.error("task waited too long", task=task, task_id=headers.get("id"), seconds=round(seconds, 1))
        verdicts.bury(message, WAITED_TOO_LONG, error)
        return True

    return bury


def _rate(limit: RateLimit) -> Check:
    def put_off(message: Any, headers: Headers) -> bool:
        eta = epoch(headers.get("eta")) or 0.0
        due = eta if eta > time.time() else limit.due(str(headers.get("id")))  # no start is booked before it is wanted
        if due is None:
            return False
        verdicts.delay(message, due)
        return True

    return put_off
