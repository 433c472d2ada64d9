"""One snapshot of all that the dashboard shows; nothing in it costs more when the backlog grows."""

from dataclasses import asdict
from typing import Any

from app.context import Context


def read_overview(gateway: Context) -> dict[str, Any]:
    """Queues, workers, the numbers of dead letters.

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
        "workers": [asdict(worker) for worker in client.workers()],
        "dead": [_dead(stats.model_dump()) for stats in client.dead_letters().get_dlq_stats()],
    }


def _dead(stats: dict[str, Any]) -> dict[str, Any]:
    return {name: stats[name] for name in ("service", "letters", "newest", "reasons", "dropped")}
