"""Puts a task into its queue for whoever asks: by HTTP or any other way in."""

from typing import Any

from app.context import Context
from app.idempotency import IdempotencyKey
from app.problems import Unprocessable, told_as
from taskclient.catalog import CatalogEntry
from taskclient.client import SendOptions
from taskclient.connection import broker_errors
from taskclient.errors import BrokerUnavailable, TaskClientError


def send_job(gateway: Context, entry: CatalogEntry, payload: dict[str, Any], job_id: str, options: SendOptions) -> str:
    """Send a task, or find the job that the same idempotency key has sent.

    Args:
        gateway: where to.
        entry: the task.
        payload: its arguments by name.
        job_id: the new job's id.
        options: when, until when, and the idempotency key.

    Returns:
        The job's id.

    Raises:
        TaskClientError: as `TaskClient.send_payload`.
        Unprocessable: an option is wrong, or the idempotency key was used with another payload.
    """
    given = options.get("idempotency_key")
    if given is None:
        _send(gateway, entry.name, payload, {**options, "task_id": job_id})
        return job_id
    key = IdempotencyKey(gateway.broker, entry, given, payload)
    with broker_errors(gateway.settings.redis(), f"claiming the idempotency key of {entry.name}"):
        owner, sent = key.claim(job_id)
        if sent and gateway.records.get(owner).failed:
            key.free(owner)
            owner, sent = key.claim(job_id)
        if not sent:
            _send_claimed(gateway, key, entry.name, payload, {**options, "task_id": owner})
    return owner


def _send_claimed(
    gateway: Context, key: IdempotencyKey, name: str, payload: dict[str, Any], options: SendOptions
) -> None:
    owner = options["task_id"] or ""
    try:
        _send(gateway, name, payload, options)
    except BrokerUnavailable:  # it may have been sent; who tries again does so under the same id
        raise
    except (TaskClientError, Unprocessable):
        key.free(owner)
        raise
    key.sent(owner)


def _send(gateway: Context, name: str, payload: dict[str, Any], options: SendOptions) -> None:
    """Keep the job's name first: who dies in between leaves a name that expires, and no job without one."""
    with broker_errors(gateway.settings.redis(), f"sending {name}"):
        gateway.names.put(options["task_id"] or "", name)
    with told_as(Unprocessable):
        gateway.client.send_payload(name, payload, **options)
    gateway.metrics.sent.labels(name).inc()
