"""One snapshot of all that the dashboard shows; nothing in it costs more when the backlog grows."""

from dataclasses import asdict
from typing import Any, Final

from app.context import Context
from app.routes.schedules import shown
from app.running import running_jobs

_MOST_JOBS: Final = 50  # running ones, shown at a time


def read_overview(gateway: Context) -> dict[str, Any]:
    """Queues, running jobs, workers, schedules, the numbers of dead letters.

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
        "running": running_jobs(gateway, _MOST_JOBS),
        "workers": [asdict(worker) for worker in client.workers()],
        "schedules": [shown(schedule) for schedule in client.schedules()],
        "dead": [_dead(stats.model_dump()) for stats in client.dead_letters().get_dlq_stats()],
    }


def _dead(stats: dict[str, Any]) -> dict[str, Any]:
    return {name: stats[name] for name in ("service", "letters", "newest", "reasons", "dropped")}
