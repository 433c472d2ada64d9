"""Builds one Celery message (task protocol 2) in the form in which kombu keeps it in a Redis list."""

import base64
import json
import os
import socket
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from json.encoder import encode_basestring_ascii as quoted
from typing import TYPE_CHECKING, Any

from taskclient.ids import new_id
from taskclient.payload import encode_payload

if TYPE_CHECKING:
    from taskclient.contract_check import ContractCheck

CORRELATION_HEADER = "x-correlation-id"  # ties a task to the request that caused it, over all services
IDEMPOTENCY_HEADER = "idempotency-key"  # calls of one task with the same key run once; any producer may set it
MAX_KEY_LENGTH = 255
PUBLISHED_HEADER = "x-published-at"  # seconds since 1970; Celery's own headers do not say how long a message waits
SCHEMA_HEADER = "x-schema-version"  # of the arguments' JSON Schema that the payload was checked against
DUE_HEADER = "x-due-at"  # its ETA in seconds since 1970; a worker's transport clears Celery's own when it is over
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
    idempotency_key: str | None = None,
    eta: datetime | None = None,
    expires: datetime | None = None,
    contract: "ContractCheck | None" = None,
) -> bytes:
    """One message, ready for LPUSH; the source of its form is `as_task_v2` in celery/app/amqp.py.

    Args:
        name: the task's name.
        payload: the task's arguments by name.
        queue: the Redis list that the message will be pushed to.
        task_id: the new task's id; its result is stored under it.
        correlation_id: what ties the task to a request in the logs; the task's id if None.
        idempotency_key: what makes this call the same as another one of the same task with the same key.
        eta: earliest start, aware.
        expires: time after which the task is not run any more, aware.
        contract: what the payload must fit; None checks nothing.

    Returns:
        JSON, UTF-8.

    Raises:
        PayloadRefused: the payload does not fit the contract.
        PayloadNotSerializable: a value has no JSON form.
        PayloadTooLarge: more than 256 KiB.
        ValueError: the idempotency key is empty or has more than 255 characters.
    """
    plain = eta is None and expires is None
    shared = _plain_template(name, queue, contract) if plain else Template(name, queue, eta, expires, contract)
    return shared.message(payload, task_id=task_id, correlation_id=correlation_id, idempotency_key=idempotency_key)


class Template:
    """What all messages of one task have in common, turned into JSON once.

    Args:
        name: the task's name.
        queue: the Redis list that the messages will be pushed to.
        eta: earliest start, aware.
        expires: time after which the task is not run any more, aware.
        contract: what the payloads must fit; None checks nothing.
        group: the id of the group that the task is in, and its place there from 0.
    """

    def __init__(
        self,
        name: str,
        queue: str,
        eta: datetime | None = None,
        expires: datetime | None = None,
        contract: "ContractCheck | None" = None,
        group: tuple[str, int] | None = None,
    ) -> None:
        self._name, self._eta, self._contract = name, eta, contract
        headers = _headers(name, eta, expires, group or (None, None)) | (
            {SCHEMA_HEADER: contract.version} if contract else {}
        )
        form = '", "content-encoding": "utf-8", "content-type": "application/json", "headers": {'
        self._head = f"{form}{json.dumps(headers)[1:-1]}, ".encode()
        self._properties = f', "properties": {{{json.dumps(_properties(queue, expires))[1:-1]}, '.encode()

    def message(
        self,
        payload: Mapping[str, Any],
        *,
        task_id: str,
        correlation_id: str | None = None,
        idempotency_key: str | None = None,
        embed: bytes = _EMBED,
    ) -> bytes:
        """One message; arguments and errors are those of `build_message`.

        `embed` is what the worker sends when the task has ended, as JSON.
        """
        encoded = encode_payload(self._name, payload)
        if self._contract is not None:
            self._contract.check(encoded)
        body = b"[[]," + encoded + b"," + embed + b"]"
        # Texts one by one: that takes half the time of a dictionary and its JSON.
        own_id = quoted(task_id)
        correlation = quoted(correlation_id) if correlation_id else own_id
        more = {**_idempotency(idempotency_key), **waits_since(self._eta)}
        headers = (
            f'"id": {own_id}, "root_id": {own_id}, "origin": {_origin(os.getpid())}, '
            f'"kwargsrepr": {quoted(redacted(payload))}, "{CORRELATION_HEADER}": {correlation}, {json.dumps(more)[1:]}'
        )
        # Celery's own use of the word correlation; ours is the header.
        properties = f'"correlation_id": {own_id}, "delivery_tag": "{new_id()}"}}'
        parts = (
            b'{"body": "',
            base64.b64encode(body),
            self._head,
            headers.encode(),
            self._properties,
            properties.encode(),
            b"}",
        )
        return b"".join(parts)


@lru_cache(maxsize=1)
def _origin(pid: int) -> str:
    return quoted(f"taskclient{pid}@{_HOST}")


@lru_cache(maxsize=1024)
def _plain_template(name: str, queue: str, contract: "ContractCheck | None") -> Template:
    return Template(name, queue, contract=contract)


def waits_since(eta: datetime | None) -> dict[str, float]:
    """The headers that say since when a message that is published now wants to be run; `eta` is aware."""
    due = {} if eta is None else {DUE_HEADER: eta.timestamp()}
    return {PUBLISHED_HEADER: round(time.time(), 3), **due}


def redacted(fields: Iterable[str]) -> str:
    """The arguments' names without their values, which may be secret: Celery logs this and sends it in events."""
    text = "{" + ", ".join(f"{field!r}: ..." for field in fields) + "}"
    return text if len(text) <= _REPR_LENGTH else text[: _REPR_LENGTH - 3] + "..."


def _headers(
    name: str, eta: datetime | None, expires: datetime | None, group: tuple[str, int] | tuple[None, None]
) -> dict[str, Any]:
    return {
        "lang": "py",
        "task": name,
        "shadow": None,
        "eta": eta and eta.isoformat(),
        "expires": expires and expires.isoformat(),
        "group": group[0],
        "group_index": group[1],
        "retries": 0,
        "timelimit": [None, None],
        "parent_id": None,
        "argsrepr": "()",
        "ignore_result": None,  # the task's own setting decides; False would overrule it
        "replaced_task_nesting": 0,
        "stamped_headers": None,
        "stamps": {},
    }


def _idempotency(key: str | None) -> dict[str, str]:
    if key is None:
        return {}
    if not 0 < len(key) <= MAX_KEY_LENGTH:
        problem = f"has {len(key)} characters" if key else "is empty, so all such calls would be the same one"
        raise ValueError(f"The idempotency key {problem}; take 1 to {MAX_KEY_LENGTH}, as in order-42-receipt.")
    return {IDEMPOTENCY_HEADER: key}


def _properties(queue: str, expires: datetime | None) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "reply_to": "",  # only the rpc result backend answers there
        "delivery_mode": 2,
        "delivery_info": {"exchange": "", "routing_key": queue},
        "priority": 0,
        "body_encoding": "base64",
    }
    if expires is not None:
        milliseconds = (expires - datetime.now(UTC)).total_seconds() * 1000
        properties["expiration"] = str(max(int(milliseconds), 0))
    return properties
