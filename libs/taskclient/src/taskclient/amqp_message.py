"""A message of RabbitMQ in the form in which Redis lists keep it, and back: tools know one form only."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from uuid import NAMESPACE_OID, uuid5

#: Header of a message that goes on from another one: its task's retries, and how often that was delivered, as in "0:2".
DELIVERIES_BEFORE: Final = "x-deliveries-before"
_OF_THE_BROKER = (
    *("x-death", "x-first-death-", "x-last-death-", "x-delivery-count", "x-acquired-count"),
    DELIVERIES_BEFORE,  # of the worker, rather; a letter that is replayed begins anew
)
_PROPERTIES = ("correlation_id", "reply_to", "priority", "expiration", "message_id", "type", "app_id")


@dataclass(frozen=True, slots=True)
class AmqpMessage:
    """What is published.

    Args:
        body: bytes, as the consumer gets them.
        content_type: such as `application/json`.
        content_encoding: such as `utf-8`.
        headers: Celery's.
        properties: further ones of AMQP, such as `priority`.
    """

    body: bytes
    content_type: str = "application/octet-stream"
    content_encoding: str = "binary"
    headers: dict[str, Any] = field(default_factory=dict)
    properties: dict[str, Any] = field(default_factory=dict)

    @property
    def eta(self) -> float | None:
        """When the task may start at the earliest, seconds since 1970; None for at once, or if it is not readable."""
        try:
            moment = datetime.fromisoformat(self.headers["eta"])
        except (KeyError, TypeError, ValueError):
            return None
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def from_raw(raw: bytes) -> AmqpMessage:
    """The AMQP message of a raw one; bytes that are no message are published as they are."""
    try:
        message = json.loads(raw)
        properties = message["properties"]
        body = message["body"]
        return AmqpMessage(
            base64.b64decode(body, validate=True) if properties.get("body_encoding") == "base64" else body.encode(),
            str(message["content-type"]),
            str(message["content-encoding"]),
            dict(message["headers"]),
            {name: properties[name] for name in _PROPERTIES if properties.get(name) is not None},
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return AmqpMessage(raw)


def to_raw(message: Any, queue: str) -> bytes:
    """A received message as a raw one.

    Args:
        message: kombu's message. What the broker itself has noted in its headers is left out.
        queue: the queue that it came from.

    Returns:
        JSON, ASCII; the same message gives the same bytes each time it is delivered.
    """
    encoding = str(message.content_encoding or "utf-8")
    body = _bytes(message.body, encoding)
    known = {name: message.properties[name] for name in _PROPERTIES if message.properties.get(name) is not None}
    content = {
        "body": base64.b64encode(body).decode(),
        "content-encoding": encoding,
        "content-type": message.content_type,
        "headers": _headers(message),
        "properties": {
            **known,
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": queue},
            "body_encoding": "base64",
            "delivery_tag": str(uuid5(NAMESPACE_OID, base64.b64encode(body).decode())),
        },
    }
    return json.dumps(content, default=str).encode()


def _bytes(body: Any, encoding: str) -> bytes:
    if not isinstance(body, str):
        return bytes(body or b"")
    try:
        return body.encode(encoding)
    except (LookupError, UnicodeError):
        return body.encode("utf-8", "surrogatepass")


def _headers(message: Any) -> Mapping[str, Any]:
    headers = {str(name): value for name, value in dict(message.headers or {}).items()}
    if not message.errors:
        headers.pop("compression", None)  # kombu has unpacked the body
    return {name: value for name, value in headers.items() if not name.startswith(_OF_THE_BROKER)}
