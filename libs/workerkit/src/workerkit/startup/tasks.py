"""Checks of a service's tasks: their messages reach a worker, and every run of them ends."""

from collections.abc import Iterator
from typing import Any

from workerkit.startup.problem import Problem


def problems(worker: Any) -> Iterator[Problem]:
    """What is wrong with the tasks of a worker that is about to start."""
    tasks = [task for task in worker.app.tasks.values() if getattr(task, "contract", None) is not None]
    yield from _unrouted(worker.app, tasks)
    for task in tasks:
        yield from _time_limits(task.name, *limits_of(task, worker))


def limits_of(task: Any, worker: Any) -> tuple[float | None, float | None]:
    """The soft and the hard time limit of a task in seconds; None or 0 is no limit."""
    return task.soft_time_limit or worker.soft_time_limit, task.time_limit or worker.time_limit


def _unrouted(app: Any, tasks: list[Any]) -> Iterator[Problem]:
    consumed = set(app.amqp.queues.consume_from)
    # Another worker of the same service may have been given the rest of its queues by `-Q`.
    served = consumed | {queue.name for queue in app.conf.task_queues or ()}
    queues = {task.name: app.amqp.router.route({}, task.name)["queue"].name for task in tasks}
    for name, queue in queues.items():
        if queue not in served:
            yield Problem(
                "unrouted-task",
                f"task {name} goes to queue {queue}, which no worker of this service consumes "
                f"({_list(served)}): rename the task, or add a route to task_routes in celeryconfig.py",
            )
    if queues and not consumed.intersection(queues.values()):
        yield Problem(
            "unrouted-task",
            f"this worker consumes {_list(consumed)}, and its tasks go to {_list(set(queues.values()))}: correct -Q",
        )


def _time_limits(task: str, soft: float | None, hard: float | None) -> Iterator[Problem]:
    if not hard:
        yield Problem(
            "time-limits",
            f"task {task} has no hard time limit, so a run that hangs holds its process for ever: set task_time_limit "
            "in celeryconfig.py, or time_limit of the task",
        )
    if not soft:
        yield Problem(
            "time-limits",
            f"task {task} has no soft time limit, so it cannot clean up before it is killed: set task_soft_time_limit "
            "in celeryconfig.py, or soft_time_limit of the task",
        )
    if soft and hard and soft >= hard:
        yield Problem(
            "time-limits",
            f"task {task} has a soft time limit of {soft:g} s and a hard one of {hard:g} s, so it is killed before it "
            "can clean up: set soft_time_limit below time_limit, for the task or in celeryconfig.py",
        )


def _list(names: set[str]) -> str:
    return ", ".join(sorted(names))
