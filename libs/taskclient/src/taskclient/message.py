"""Builds one Celery message (task protocol 2) in the form in which kombu keeps it in a Redis list."""

import base64
import json
import os
import socket
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from taskclient.payload import encode_payload

CORRELATION_HEADER = "x-correlation-id"  # ties a task to the request that caused it, over all services
_EMBED = b'{"callbacks":null,"errbacks":null,"chain":null,"chord":null}'
_REPR_LENGTH = 1024  # characters, as Celery cuts its own
_HOST = socket.gethostname()


def build_message(
    name: str,
    payload: Mapping[str, Any],
    *,
    queue: str,
    task_id: str,
    correlation_id: str | None = None,
    eta: datetime | None = None,
    expires: datetime | None = None,
) -> bytes:
    """One message, ready for LPUSH; the source of its form is `as_task_v2` in celery/app/amqp.py.

    Args:
        name: the task's name.
        payload: the task's arguments by name.
        queue: the Redis list that the message will be pushed to.
        task_id: the new task's id; its result is stored under it.
        correlation_id: what ties the task to a request in the logs; the task's id if None.
        eta: earliest start, aware.
        expires: time after which the task is not run any more, aware.

    Returns:
        JSON, UTF-8.

    Raises:
        PayloadNotSerializable: a value has no JSON form.
        PayloadTooLarge: more than 256 KiB.
    """
    body = b"[[]," + encode_payload(name, payload) + b"," + _EMBED + b"]"
    message = {
        "body": base64.b64encode(body).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {
            **_headers(name, task_id, eta, expires),
            "kwargsrepr": redacted(payload),
            CORRELATION_HEADER: correlation_id or task_id,
        },
        "properties": _properties(queue, task_id, expires),
    }
    return json.dumps(message).encode()


def redacted(fields: Iterable[str]) -> str:
    """The arguments' names without their values, which may be secret: Celery logs this and sends it in events."""
    text = "{" + ", ".join(f"{field!r}: ..." for field in fields) + "}"
    return text if len(text) <= _REPR_LENGTH else text[: _REPR_LENGTH - 3] + "..."


def _headers(name: str, task_id: str, eta: datetime | None, expires: datetime | None) -> dict[str, Any]:
    return {
        "lang": "py",
        "task": name,
        "id": task_id,
        "shadow": None,
        "eta": eta and eta.isoformat(),
        "expires": expires and expires.isoformat(),
        "group": None,
        "group_index": None,
        "retries": 0,
        "timelimit": [None, None],
        "root_id": task_id,
        "parent_id": None,
        "argsrepr": "()",
        "origin": f"taskclient{os.getpid()}@{_HOST}",
        "ignore_result": None,  # the task's own setting decides; False would overrule it
        "replaced_task_nesting": 0,
        "stamped_headers": None,
        "stamps": {},
    }


def _properties(queue: str, task_id: str, expires: datetime | None) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "correlation_id": task_id,  # Celery's own use of the word; ours is the header
        "reply_to": "",  # only the rpc result backend answers there
        "delivery_mode": 2,
        "delivery_info": {"exchange": "", "routing_key": queue},
        "priority": 0,
        "body_encoding": "base64",
        "delivery_tag": str(uuid4()),
    }
    if expires is not None:
        milliseconds = (expires - datetime.now(UTC)).total_seconds() * 1000
        properties["expiration"] = str(max(int(milliseconds), 0))
    return properties
