"""What is known of a task before any of its messages comes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from celery import signals
from celery.exceptions import ImproperlyConfigured
from celery.utils.imports import symbol_by_name

from workerkit.strategy import Check, checks_of


@dataclass(frozen=True, slots=True)
class Plan:
    """How messages of one task are run.

    Args:
        task: Celery's task.
        trace: Celery's tracer for it.
        request: the class of its requests.
        checks: what its own limits ask before it starts.
        soft: seconds until it is interrupted, None for no limit; a message may say otherwise.
        hard: seconds until its process is killed, None for no limit.
        place: where it is in the table.
        plain: most of its messages need no `Request`.
    """

    task: Any
    trace: Callable[..., Any]
    request: Any
    checks: list[Check]
    soft: float | None
    hard: float | None
    place: int
    plain: bool


def plans(app: Any, tasks: list[str], soft: float | None, hard: float | None) -> dict[str, Plan]:
    """Plans of all tasks, in the order of the table.

    Args:
        app: whose tasks; their tracers are built.
        tasks: their names.
        soft: the soft limit of tasks that have none of their own.
        hard: the hard one.
    """
    return {name: _plan(app.tasks[name], place, soft, hard) for place, name in enumerate(tasks)}


def _plan(task: Any, place: int, soft: float | None, hard: float | None) -> Plan:
    return Plan(
        task=task,
        trace=task.__trace__,
        request=symbol_by_name(task.Request),
        checks=checks_of(task) if hasattr(task, "max_queue_wait") else [],
        soft=task.soft_time_limit or soft,
        hard=task.time_limit or hard,
        place=place,
        plain=bool(task.acks_late) and not signals.task_received.receivers,
    )


def refuse_what_does_not_fit(app: Any, pool: str) -> None:
    """Refuse tasks whose limits would not be kept.

    Raises:
        ImproperlyConfigured: naming them.
    """
    limited = sorted(name for name, task in app.tasks.items() if task.rate_limit)
    if limited:
        raise ImproperlyConfigured(
            f"{pool} does not keep rate_limit, which {', '.join(limited)} has: use "
            "global_rate_limit, which holds over all workers"
        )
