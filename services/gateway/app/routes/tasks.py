"""Send a task: `POST /tasks/{name}` with the payload as body."""

from datetime import datetime
from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Body, Header, Query

from app.audit import audited
from app.authentication import demand
from app.context import Caller, Gateway
from app.problems import Json
from app.sending import send_job
from taskclient.client import SendOptions
from taskclient.message import MAX_KEY_LENGTH

router = APIRouter()
Seconds = Annotated[float | None, Query(ge=0, allow_inf_nan=False)]
Key = Annotated[str | None, Header(min_length=1, max_length=MAX_KEY_LENGTH)]


@router.post("/tasks/{name}", include_in_schema=False)  # each task is an operation of its own there
def send(
    name: str,
    payload: Annotated[dict[str, Any], Body()],
    gateway: Gateway,
    key: Caller,
    countdown: Seconds = None,
    eta: datetime | None = None,
    expires: Annotated[float | datetime | None, Query()] = None,
    idempotency_key: Key = None,
) -> Json:
    """Send a task; it is checked first, and the answer comes when the queue has it, not when it has run."""
    with audited(key, "send", name) as line:
        demand(key, "send", name)
        entry = gateway.catalog.find(name)
        options = SendOptions(countdown=countdown, eta=eta, expires=expires, idempotency_key=idempotency_key)
        line["job"] = job_id = send_job(gateway, entry, payload, str(uuid4()), options)
    return Json({"id": job_id, "name": name, "queue": entry.queue}, 202, headers={"Location": f"/jobs/{job_id}"})
