"""The catalog, and what is generated from it: OpenAPI with an operation for each task, AsyncAPI."""

from functools import lru_cache
from typing import Any

from fastapi import APIRouter, FastAPI, Request

from app.asyncapi import asyncapi
from app.authentication import demand
from app.context import Caller, Context, Gateway
from app.keys import ApiKey
from app.openapi import own_part, with_tasks
from app.problems import Json
from taskclient.catalog import CatalogEntry

router = APIRouter()


@router.get("/catalog", response_model=list[CatalogEntry])
def catalog(gateway: Gateway, key: Caller) -> Json:
    """All tasks that the key may send or read about, sorted by name, with the schemas of payload and result."""
    return Json([entry.model_dump(mode="json") for entry in _known(gateway, key)])


@router.get("/catalog/{name}", response_model=CatalogEntry)
def entry(name: str, gateway: Gateway, key: Caller) -> Json:
    """One task."""
    found = gateway.catalog.find(name)
    if not _may_know(key, found):
        demand(key, "read", name)
    return Json(found.model_dump(mode="json"))


@router.get("/openapi.json", include_in_schema=False)
def openapi_document(request: Request, gateway: Gateway, key: Caller) -> Json:
    """OpenAPI 3.1: each task that the key may send or read about is an operation with its schema."""
    return Json(with_tasks(_own_part(request.app), _known(gateway, key)))


@router.get("/asyncapi.json", include_in_schema=False)
def asyncapi_document(request: Request, gateway: Gateway, key: Caller) -> Json:
    """AsyncAPI 3: queues, messages, results and events, of the same tasks."""
    app: FastAPI = request.app
    return Json(asyncapi("Tasks", app.version, _known(gateway, key)))


@lru_cache(maxsize=1)
def _own_part(app: FastAPI) -> dict[str, Any]:
    return own_part(app.title, app.version, app.routes)


def _known(gateway: Context, key: ApiKey) -> list[CatalogEntry]:
    return [entry for entry in gateway.catalog.entries() if _may_know(key, entry)]


def _may_know(key: ApiKey, entry: CatalogEntry) -> bool:
    return key.may("read", entry.name) or key.may("send", entry.name)
