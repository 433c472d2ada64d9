"""OpenAPI and AsyncAPI hold every task of the catalog with its schema, and every reference leads somewhere."""

import json
from pathlib import Path
from typing import Literal

import jsonschema_rs
import pytest
from pydantic import BaseModel, TypeAdapter

from app.asyncapi import asyncapi
from app.config import Settings
from app.main import make_app
from app.openapi import own_part, with_tasks
from taskclient.catalog import CatalogEntry, Limits


class Part(BaseModel):
    """A part that holds parts."""

    kind: Literal["a", "b"]
    parts: list["Part"] = []


def entry(name="app.tasks.shop.order"):
    parameters = {
        **TypeAdapter(dict[str, Part]).json_schema(),
        "type": "object",
        "properties": {"part": {"$ref": "#/$defs/Part"}},
        "additionalProperties": False,
    }
    return CatalogEntry(
        name=name, queue=name.split(".")[2], service="shop", description="Order parts.\n\nMany.",
        parameters=parameters, result=TypeAdapter(list[Part]).json_schema(), limits=Limits(hard=30), idempotent=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def own():
    return own_part("x", "1", make_app(Settings()).routes)


def references(value):
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "$ref":
                yield inner
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def resolve(document, reference):
    found = document
    for step in reference.removeprefix("#/").split("/"):
        found = found[step.replace("~1", "/")]
    return found


@pytest.mark.parametrize("kind", ["openapi", "asyncapi"])
def test_every_reference_leads_somewhere(own, kind):
    entries = [entry(), entry("app.tasks.other.order")]
    document = with_tasks(own, entries) if kind == "openapi" else asyncapi("x", "1", entries)
    found = set(references(document))
    assert any("Part" in reference for reference in found)
    for reference in found:
        assert resolve(document, reference) is not None


@pytest.mark.parametrize("entries", [[], [entry(), entry("app.tasks.other.order")]])
def test_the_asyncapi_document_is_valid(entries):
    # The official schema, as in npm's @asyncapi/specs 6.11.1 (Apache-2.0), without line breaks.
    schema = json.loads((Path(__file__).parent / "asyncapi-3.0.0.schema.json").read_text())
    problems = jsonschema_rs.Draft7Validator(schema).iter_errors(asyncapi("x", "1", entries))
    assert [(error.instance_path, error.message[:200]) for error in problems] == []


def test_every_task_is_an_operation(own):
    document = with_tasks(own, [entry()])
    operation = document["paths"]["/tasks/app.tasks.shop.order"]["post"]
    schema = resolve(document, operation["requestBody"]["content"]["application/json"]["schema"]["$ref"])
    assert schema["properties"] == {"part": {"$ref": "#/components/schemas/app.tasks.shop.order.Part"}}
    assert operation["operationId"] == "shop_order"
    assert operation["summary"] == "Order parts."
    assert {"202", "401", "403", "413", "422", "429", "503"} <= operation["responses"].keys()
    assert "/tasks/{name}" not in document["paths"]


def test_operations_have_different_ids(own):
    document = with_tasks(own, [entry(), entry("app.tasks.other.order")])
    ids = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(ids) == len(set(ids))


def test_only_health_needs_no_key(own):
    document = with_tasks(own, [])
    free = [path for path, one in document["paths"].items() for part in one.values() if part.get("security") == []]
    assert free == ["/healthz"]


def test_the_own_part_stays_as_it_is(own):
    before = json.dumps(own)
    assert json.dumps(with_tasks(own, [entry()])) != before
    assert json.dumps(own) == before


def test_an_empty_catalog_gives_documents_too(own):
    assert with_tasks(own, [])["paths"]
    assert asyncapi("x", "1", [])["channels"].keys() == {"results", "events"}
