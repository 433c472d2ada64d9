"""Builds what one call of a task sends, the same for all clients."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from taskclient.contracts import Known
from taskclient.ids import new_id
from taskclient.message import build_message
from taskclient.schedule import end_time, start_time


@dataclass(frozen=True, slots=True)
class Call:
    """One message and where it goes."""

    task_id: str
    queue: str
    message: bytes


def build_call(
    known: Known,
    name: str,
    payload: Mapping[str, Any],
    *,
    eta: datetime | None = None,
    countdown: float | None = None,
    expires: float | datetime | None = None,
    correlation_id: str | None = None,
    idempotency_key: str | None = None,
    task_id: str | None = None,
    queue: str | None = None,
) -> Call:
    """Check a payload against what is known of its task, and build its message.

    Everything else, and the errors, are those of `TaskClient.send_payload`.
    """
    starts, ends = start_time(eta, countdown), end_time(expires)
    queue, task_id = queue or known.queue, task_id or new_id()
    message = build_message(
        name,
        payload,
        queue=queue,
        task_id=task_id,
        correlation_id=correlation_id,
        idempotency_key=idempotency_key,
        eta=starts,
        expires=ends,
        contract=known.check,
    )
    return Call(task_id, queue, message)
