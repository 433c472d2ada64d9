"""Jobs: what runs, how far one is, what it came to; and how to take one back."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query

from app.audit import audited
from app.authentication import demand
from app.context import Caller, Context, Gateway
from app.jobs import Job, job_of
from app.keys import ApiKey
from app.problems import Json, Unsupported, told_as
from app.running import running_jobs
from app.schemas import Cancelled, RunningJob
from taskclient.connection import broker_errors

router = APIRouter()
JobId = Annotated[str, Path(max_length=255)]


@router.get("/jobs", response_model=list[RunningJob])
def running(
    gateway: Gateway,
    key: Caller,
    _state: Annotated[Literal["running"], Query(alias="state")] = "running",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Json:
    """What workers have taken and not finished, with its progress; of each service no more than `limit`."""
    demand(key, "read")
    return Json(running_jobs(gateway, limit))


@router.get("/jobs/{job_id}", response_model=Job, operation_id="show_job")
def show(job_id: JobId, gateway: Gateway, key: Caller) -> Json:
    """How far a job is; PENDING is also the answer for an id that nobody ever sent."""
    name = readable_name(gateway, key, job_id)
    return Json(job_of(gateway.client.handle(job_id).record(), name))


@router.delete("/jobs/{job_id}", response_model=Cancelled)
def cancel(job_id: JobId, gateway: Gateway, key: Caller) -> Json:
    """Take a job back: it is not run, or ended if it runs. `found` says whether it was waiting, running or finished."""
    with audited(key, "cancel", job_id) as line, told_as(Unsupported):
        name = name_of(gateway, job_id)
        line["task"] = name or ""
        demand(key, "cancel", name)
        line["found"] = found = gateway.client.cancel(job_id)
    return Json({"id": job_id, "name": name, "found": found})


def readable_name(gateway: Context, key: ApiKey, job_id: str) -> str | None:
    """Which task a job is of, if the key may read it; None if it is not known.

    Raises:
        Forbidden: the key may not read jobs of this task; where the task is not known, not those of all.
        BrokerUnavailable: Redis could not be asked.
    """
    name = name_of(gateway, job_id)
    demand(key, "read", name)
    return name


def name_of(gateway: Context, job_id: str) -> str | None:
    """Which task a job is of; None if no gateway has sent it.

    Raises:
        BrokerUnavailable: Redis could not be asked.
    """
    with broker_errors(gateway.settings.redis(), f"reading the name of job {job_id}"):
        return gateway.names.get(job_id)
