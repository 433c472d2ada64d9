"""The jobs that workers have taken and not finished, with their progress."""

from dataclasses import asdict
from typing import Any

from app.context import Context
from app.jobs import job_of
from taskclient.connection import broker_errors
from taskclient.running import running_tasks


def running_jobs(gateway: Context, most: int) -> list[dict[str, Any]]:
    """Those that were sent first; each has the fields of `taskclient.running.RunningTask`, and `progress`.

    Args:
        gateway: whose Redis.
        most: how many; of each service, too, no more are looked at.

    Raises:
        BrokerUnavailable: Redis could not be reached, or refused.
    """
    with broker_errors(gateway.settings.redis(), "reading what the workers hold"):
        tasks = running_tasks(gateway.broker, most=most)
    first = sorted(tasks, key=lambda task: -(task.seconds or 0))[:most]
    records = gateway.records.get_many([task.id for task in first])
    return [{**asdict(task), "progress": job_of(records[task.id], task.task)["progress"]} for task in first]
