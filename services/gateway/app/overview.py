"""One snapshot of all that the dashboard shows; nothing in it costs more when the backlog grows."""

from dataclasses import asdict
from typing import Any, Final

from app.context import Context
from app.jobs import job_of
from taskclient.connection import broker_errors
from taskclient.running import running_tasks

_MOST_JOBS: Final = 50  # shown at a time


def read_overview(gateway: Context) -> dict[str, Any]:
    """Queues, workers, running jobs, the numbers of dead letters.

    Raises:
        BrokerUnavailable: Redis could not be reached, or refused.
    """
    client = gateway.client
    try:
        queues, note = [asdict(state) for state in client.queues()], None
    except ValueError as error:  # with RabbitMQ as broker
        queues, note = [], str(error)
    return {
        "queues": queues,
        "note": note,
        "running": _running(gateway),
        "workers": [asdict(worker) for worker in client.workers()],
        "dead": [_dead(stats.model_dump()) for stats in client.dead_letters().get_dlq_stats()],
    }


def _running(gateway: Context) -> list[dict[str, Any]]:
    """Those that were sent first: who has run for long is more often looked for than who has just begun."""
    with broker_errors(gateway.settings.redis(), "reading what the workers hold"):
        tasks = running_tasks(gateway.broker, most=4 * _MOST_JOBS)
    oldest = sorted(tasks, key=lambda task: -(task.seconds or 0))[:_MOST_JOBS]
    records = gateway.records.get_many([task.id for task in oldest])
    return [{**asdict(task), "progress": job_of(records[task.id], task.task)["progress"]} for task in oldest]


def _dead(stats: dict[str, Any]) -> dict[str, Any]:
    return {name: stats[name] for name in ("service", "letters", "newest", "reasons", "dropped")}
