"""Send a task: `POST /tasks/{name}` with the payload as body."""

from datetime import datetime
from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Body, Header, Query

from app.audit import audited
from app.authentication import demand
from app.context import Caller, Context, Gateway
from app.problems import Json, Unprocessable, told_as
from taskclient.client import SendOptions
from taskclient.connection import broker_errors
from taskclient.message import MAX_KEY_LENGTH

router = APIRouter()

Seconds = Annotated[float | None, Query(ge=0, allow_inf_nan=False)]
IdempotencyKey = Annotated[str | None, Header(min_length=1, max_length=MAX_KEY_LENGTH)]


@router.post("/tasks/{name}", status_code=202)
def send(
    name: str,
    payload: Annotated[dict[str, Any], Body()],
    gateway: Gateway,
    key: Caller,
    countdown: Seconds = None,
    eta: datetime | None = None,
    expires: Annotated[float | datetime | None, Query()] = None,
    idempotency_key: IdempotencyKey = None,
) -> Json:
    """Send a task; it is checked first, and the answer comes when the queue has it, not when it has run."""
    with audited(key, "send", name) as line:
        demand(key, "send", name)
        entry = gateway.catalog.find(name)
        line["job"] = job_id = str(uuid4())
        options = SendOptions(task_id=job_id, countdown=countdown, eta=eta, expires=expires)
        send_job(gateway, name, payload, job_id, {**options, "idempotency_key": idempotency_key})
    return Json({"id": job_id, "name": name, "queue": entry.queue}, 202, headers={"Location": f"/jobs/{job_id}"})


def send_job(gateway: Context, name: str, payload: dict[str, Any], job_id: str, options: SendOptions) -> None:
    """Keep the job's name, then send it: who dies in between leaves a name that expires, and no job without one.

    Raises:
        TaskClientError: as `TaskClient.send_payload`.
        Unprocessable: an option is wrong.
    """
    with broker_errors(gateway.settings.redis(), f"sending {name}"):
        gateway.names.put(job_id, name)
    with told_as(Unprocessable):
        gateway.client.send_payload(name, payload, **options)
    gateway.metrics.sent.labels(name).inc()
