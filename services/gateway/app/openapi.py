"""The OpenAPI document: the gateway's own operations, and one for each task of the catalog with its schema."""

import re
from typing import Any, Final

from fastapi.openapi.utils import get_openapi
from starlette.routing import BaseRoute

from app.schema_parts import component, hoisted
from app.schemas import Sent
from taskclient.catalog import CatalogEntry

_SECURITY: Final = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
_PROBLEM: Final = {
    "type": "object",
    "description": "What went wrong, and what to do (RFC 9457).",
    "required": ["title", "status", "detail"],
    "properties": {
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "description": "All wrong fields.",
            "items": {
                "type": "object",
                "required": ["field", "problem"],
                "properties": {"field": {"type": "string"}, "problem": {"type": "string"}},
            },
        },
    },
}
_PROBLEMS: Final = {
    "400": "The request cannot be read.",
    "401": "There is no key, or a wrong one.",
    "403": "The key has no scope for this.",
    "404": "There is no such thing.",
    "405": "There is no such operation.",
    "409": "It cannot be done now.",
    "413": "The request or the payload is too large.",
    "422": "Fields are wrong; `errors` names all of them.",
    "429": "The queue is full, or the key was used too often; `Retry-After` says when to try again.",
    "501": "The broker cannot do this.",
    "503": "Redis does not answer, or is full.",
}
_SECONDS: Final = {"type": "number", "minimum": 0}
_TIME: Final = {"type": "string", "format": "date-time"}
_KEY: Final = {"type": "string", "minLength": 1, "maxLength": 255}
_OPTIONS: Final = [
    {"name": name, "in": where, "required": False, "schema": schema, "description": text}
    for name, where, schema, text in (
        ("countdown", "query", _SECONDS, "Earliest start, in seconds from now."),
        ("eta", "query", _TIME, "Earliest start, with a time zone."),
        (
            "expires",
            "query",
            {"anyOf": [_SECONDS, _TIME]},
            "In seconds, or a time; after it the task is not run.",
        ),
        ("Idempotency-Key", "header", _KEY, "Of all calls of this task with the same key one runs; for a day."),
    )
]
_METHODS: Final = frozenset({"get", "post", "delete"})


def own_part(title: str, version: str, routes: list[BaseRoute]) -> dict[str, Any]:
    """The document without the tasks; it takes a tenth of a second and never changes.

    Args:
        title: of the API.
        version: the gateway's.
        routes: the gateway's own operations.
    """
    document = get_openapi(title=title, version=version, routes=routes)
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas |= {"Problem": _PROBLEM, "Sent": Sent.model_json_schema()}
    components["securitySchemes"] = _SECURITY
    components["responses"] = {f"Problem{status}": _problem(text) for status, text in _PROBLEMS.items()}
    document["security"] = [{name: []} for name in _SECURITY]
    for path, operations in document["paths"].items():
        for method in operations.keys() & _METHODS:
            operations[method] |= _said(path, operations[method])
            operations[method]["responses"] |= _refusals(path)
    document["paths"]["/healthz"]["get"]["security"] = []
    return document


def with_tasks(own: dict[str, Any], entries: list[CatalogEntry]) -> dict[str, Any]:
    """The whole document.

    Args:
        own: what `own_part` gave; it stays as it is.
        entries: the tasks.
    """
    parts: dict[str, Any] = {}
    for entry in entries:
        parts |= hoisted(entry.name, entry.parameters) | hoisted(f"{entry.name}.result", entry.result)
    components = {**own["components"], "schemas": own["components"]["schemas"] | parts}
    tasks = {f"/tasks/{entry.name}": {"post": _operation(entry)} for entry in entries}
    return {**own, "components": components, "paths": tasks | own["paths"]}


def _said(path: str, operation: dict[str, Any]) -> dict[str, Any]:
    """What a list of operations shows of one of the gateway's own."""
    sentence = re.split(r"[.;:] |\.$", operation.get("description", ""), maxsplit=1)[0]
    return {"tags": [path.split("/")[1]], "summary": sentence}


def _operation(entry: CatalogEntry) -> dict[str, Any]:
    """`POST /tasks/<name>`."""
    return {
        "tags": [entry.service],
        "operationId": entry.name.removeprefix("app.tasks.").replace(".", "_"),
        "summary": entry.description.partition("\n")[0] or entry.name,
        "description": _description(entry),
        "parameters": _OPTIONS,
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": component(entry.name)}},
        },
        "responses": {
            "202": {
                "description": "The task is in its queue.",
                "headers": {"Location": {"schema": {"type": "string"}, "description": "Where to ask how far it is."}},
                "content": {"application/json": {"schema": component("Sent")}},
                "links": {"job": {"operationId": "show_job", "parameters": {"job_id": "$response.body#/id"}}},
            },
            **_refusals(f"/tasks/{entry.name}"),
        },
        "x-queue": entry.queue,
        "x-result": component(f"{entry.name}.result"),
    }


def _description(entry: CatalogEntry) -> str:
    seconds = entry.limits.hard
    limit = f"\n\nIt may take {seconds:g} s." if seconds else ""
    once = "\n\nIt is idempotent: the same call has its effect once." if entry.idempotent else ""
    return f"{entry.description}{limit}{once}"


def _problem(text: str) -> dict[str, Any]:
    return {"description": text, "content": {"application/problem+json": {"schema": component("Problem")}}}


def _refusals(path: str) -> dict[str, Any]:
    statuses = ["503"] if path == "/healthz" else _PROBLEMS
    return {status: {"$ref": f"#/components/responses/Problem{status}"} for status in statuses}
