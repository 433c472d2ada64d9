"""Jobs: how far one is, what it came to."""

from dataclasses import asdict
from typing import Annotated, Literal

from fastapi import APIRouter, Query

from app.authentication import demand
from app.context import Caller, Context, Gateway
from app.jobs import job_of
from app.keys import ApiKey
from app.problems import Json
from taskclient.connection import broker_errors
from taskclient.running import running_tasks

router = APIRouter()


@router.get("/jobs")
def running(
    gateway: Gateway,
    key: Caller,
    state: Literal["running"] = "running",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Json:
    """What workers have taken and not finished, with its progress; of each service no more than `limit`."""
    demand(key, "read")
    with broker_errors(gateway.settings.redis(), "reading what the workers hold"):
        tasks = running_tasks(gateway.broker, most=limit)[:limit]
    records = gateway.records.get_many([task.id for task in tasks])
    return Json([{**asdict(task), "progress": job_of(records[task.id], task.task)["progress"]} for task in tasks])


@router.get("/jobs/{job_id}")
def show(job_id: str, gateway: Gateway, key: Caller) -> Json:
    """How far a job is; PENDING is also the answer for an id that nobody ever sent."""
    name = readable_name(gateway, key, job_id)
    return Json(job_of(gateway.client.handle(job_id).record(), name))


def readable_name(gateway: Context, key: ApiKey, job_id: str) -> str | None:
    """Which task a job is of, if the key may read it; None if it is not known.

    Raises:
        Forbidden: the key may not read jobs of this task; where the task is not known, not those of all.
        BrokerUnavailable: Redis could not be asked.
    """
    with broker_errors(gateway.settings.redis(), f"reading the name of job {job_id}"):
        name = gateway.names.get(job_id)
    demand(key, "read", name)
    return name
