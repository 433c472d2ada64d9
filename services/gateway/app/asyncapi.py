"""The AsyncAPI 3 document: the workers' queues with the messages they take, and the events of jobs."""

from typing import Any, Final

from app.schema_parts import component, hoisted
from taskclient.catalog import CatalogEntry
from taskclient.results import KEY_PREFIX

_HEADERS: Final = {
    "type": "object",
    "description": "Headers of Celery's message protocol 2.",
    "required": ["id", "task", "lang"],
    "properties": {
        "id": {"type": "string", "description": "The task's id, by which its result is found."},
        "task": {"type": "string"},
        "lang": {"type": "string"},
        "eta": {"type": ["string", "null"], "format": "date-time"},
        "expires": {"type": ["string", "null"], "format": "date-time"},
        "retries": {"type": "integer", "minimum": 0},
        "idempotency-key": {"type": "string", "minLength": 1, "maxLength": 255},
    },
}
_EVENT: Final = {
    "type": "object",
    "description": "A state of a job; the last one has the status SUCCESS, FAILURE or REVOKED.",
    "required": ["event", "id", "name", "status", "progress", "result", "error"],
    "properties": {
        "event": {"type": "string", "description": "The state's id, from which a stream is taken up again."},
        "id": {"type": "string"},
        "name": {"type": ["string", "null"]},
        "status": {"type": "string"},
        "progress": {"description": "`current`, `total` and `message`, while it runs and says so."},
        "result": {"description": "What the task returned."},
        "error": {"type": ["object", "null"]},
    },
}


def asyncapi(title: str, version: str, entries: list[CatalogEntry]) -> dict[str, Any]:
    """The document.

    Args:
        title: of the system.
        version: the gateway's.
        entries: the catalog.
    """
    schemas = {"Headers": _HEADERS, "Event": _EVENT}
    for entry in entries:
        schemas |= hoisted(entry.name, entry.parameters) | hoisted(f"{entry.name}.result", entry.result)
    queues = sorted({entry.queue for entry in entries})
    return {
        "asyncapi": "3.0.0",
        "info": {"title": title, "version": version, "description": __doc__},
        "defaultContentType": "application/json",
        "servers": {"redis": {"host": "redis:6379", "protocol": "redis", "description": "Lists, database 0."}},
        "channels": {
            **{f"queue.{queue}": _queue(queue, entries) for queue in queues},
            "results": _results(entries),
            "events": _events(),
        },
        "operations": {
            **{entry.name: _operation(entry) for entry in entries},
            "events": {"action": "send", "channel": {"$ref": "#/channels/events"}, "summary": "A job's states."},
        },
        "components": {
            "schemas": schemas,
            "messages": {key: value for entry in entries for key, value in _messages(entry).items()},
        },
    }


def _messages(entry: CatalogEntry) -> dict[str, Any]:
    """What calls a task, and what comes of it."""
    call = {
        "name": entry.name,
        "summary": entry.description.partition("\n")[0],
        "headers": component("Headers"),
        "payload": component(entry.name),
        "correlationId": {"location": "$message.header#/id"},
    }
    return {entry.name: call, f"{entry.name}.result": {"payload": component(f"{entry.name}.result")}}


def _queue(queue: str, entries: list[CatalogEntry]) -> dict[str, Any]:
    names = [entry.name for entry in entries if entry.queue == queue]
    return {
        "address": queue,
        "description": "A Redis list; LPUSH adds a message of Celery's protocol 2, whose body has the payload.",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
    }


def _results(entries: list[CatalogEntry]) -> dict[str, Any]:
    names = [f"{entry.name}.result" for entry in entries]
    return {
        "address": f"{KEY_PREFIX}{{id}}",
        "description": "A key and a channel of the results' database; the result is in `result`.",
        "parameters": {"id": {"description": "The task's id."}},
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
    }


def _events() -> dict[str, Any]:
    return {
        "address": "/jobs/{id}/events",
        "description": "A WebSocket, or server-sent events, of the gateway.",
        "parameters": {"id": {"description": "The job's id."}},
        "messages": {"event": {"payload": component("Event")}},
    }


def _operation(entry: CatalogEntry) -> dict[str, Any]:
    queue, result = f"#/channels/queue.{entry.queue}", f"{entry.name}.result"
    return {
        "action": "receive",
        "channel": {"$ref": queue},
        "title": entry.name,
        "description": entry.description,
        "tags": [{"name": entry.service}],
        "messages": [{"$ref": f"{queue}/messages/{entry.name}"}],
        "reply": {
            "channel": {"$ref": "#/channels/results"},
            "messages": [{"$ref": f"#/channels/results/messages/{result}"}],
        },
    }
