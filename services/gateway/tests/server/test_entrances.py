"""Bad payloads by every way in, and where a new task appears: one contract, the same answers everywhere."""

import asyncio
import json

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from typer.testing import CliRunner

from devstack.waiting import wait_for
from taskclient.cli_app import app as command
from taskclient.client import TaskClient
from taskclient.errors import PayloadRefused, TaskRejected
from taskclient.producers_typescript import typescript
from taskclient.stubs import stubs

pytestmark = pytest.mark.usefixtures("worker")

NAME, TOOL = "app.tasks.clerk.order", "trigger_clerk_order"
MAIL = "ada@example.com"
LINE = {"item": "tea", "count": 2}
WRONG_USAGE = 2
BAD = [
    {},
    {"customer": MAIL},
    {"lines": [LINE]},
    {"customer": MAIL, "lines": None},
    {"customer": None, "lines": [LINE]},
    {"customer": "", "lines": [LINE]},
    {"customer": "nobody", "lines": [LINE]},
    {"customer": 7, "lines": [LINE]},
    {"customer": True, "lines": [LINE]},
    {"customer": [MAIL], "lines": [LINE]},
    {"customer": {"mail": MAIL}, "lines": [LINE]},
    {"customer": "ada@", "lines": [LINE]},
    {"customer": MAIL, "lines": "tea"},
    {"customer": MAIL, "lines": 3},
    {"customer": MAIL, "lines": {"item": "tea", "count": 1}},
    {"customer": MAIL, "lines": ["tea"]},
    {"customer": MAIL, "lines": [None]},
    {"customer": MAIL, "lines": [[]]},
    {"customer": MAIL, "lines": [{}]},
    {"customer": MAIL, "lines": [{"item": "tea"}]},
    {"customer": MAIL, "lines": [{"count": 1}]},
    {"customer": MAIL, "lines": [{"item": 5, "count": 1}]},
    {"customer": MAIL, "lines": [{"item": None, "count": None}]},
    {"customer": MAIL, "lines": [{"item": "tea", "count": 0}]},
    {"customer": MAIL, "lines": [{"item": "tea", "count": 100}]},
    {"customer": MAIL, "lines": [{"item": "tea", "count": 1.5}]},
    {"customer": MAIL, "lines": [{"item": "tea", "count": "many"}]},
    {"customer": MAIL, "lines": [LINE, {"item": "tea", "count": -1}, LINE, {"item": "tea"}]},
    {"customer": MAIL, "lines": [LINE], "more": 1},
    {"customer": "nobody", "lines": [{"item": 3, "count": 0}], "more": 1, "self": 2},
]


def by_client(client, payload):
    with pytest.raises(PayloadRefused) as caught:
        client.send_payload(NAME, payload)
    return {error["field"] for error in caught.value.errors}


def by_http(everyone, payload):
    answer = everyone.post(f"/tasks/{NAME}", json=payload)
    assert answer.status_code == httpx2.codes.UNPROCESSABLE_CONTENT, answer.text
    return {error["field"] for error in answer.json()["errors"]}


def by_redis(careless, payload):
    with pytest.raises(TaskRejected) as caught:
        careless.send_payload(NAME, payload).result(60)
    return {error["field"] for error in caught.value.errors}


def by_mcp(gateway, payloads):
    async def run():
        async with (
            httpx2.AsyncClient(headers=gateway.headers("all"), timeout=60) as web,
            Client(streamable_http_client(f"{gateway.url}/mcp", http_client=web)) as client,
        ):
            return [await client.call_tool(TOOL, payload) for payload in payloads]

    answers = asyncio.run(run())
    assert all(answer.is_error for answer in answers)
    return [{error["field"] for error in answer.structured_content["errors"]} for answer in answers]


def test_thirty_bad_payloads_get_the_same_field_errors_by_every_way_in(gateway, everyone, task_client, module_valkey):
    assert len(BAD) == 30
    expected = [by_client(task_client, payload) for payload in BAD]
    assert all(expected)
    assert [by_http(everyone, payload) for payload in BAD] == expected
    assert by_mcp(gateway, BAD) == expected
    for payload, fields in zip(BAD, expected, strict=True):
        told = CliRunner().invoke(
            command, ["send", NAME, "--json-payload", json.dumps(payload), "--broker", module_valkey.url]
        )
        assert (told.exit_code, [field for field in fields if field not in told.output]) == (WRONG_USAGE, [])
    before = task_client.dead_letters().count()
    with TaskClient(module_valkey.url, check=False) as careless:
        assert [by_redis(careless, payload) for payload in BAD] == expected
    wait_for(lambda: task_client.dead_letters().count() - before == len(BAD))  # none is lost
    assert task_client.submit_and_wait(NAME, 20, customer=MAIL, lines=[LINE]) == LINE["count"]


def test_a_task_appears_wherever_tasks_are_shown(gateway, everyone, task_client, module_valkey):
    shown = CliRunner().invoke(command, ["list", "--json", "--broker", module_valkey.url])
    entries = task_client.catalog()

    async def tools():
        async with (
            httpx2.AsyncClient(headers=gateway.headers("all"), timeout=60) as web,
            Client(streamable_http_client(f"{gateway.url}/mcp", http_client=web)) as client,
        ):
            return {tool.name for tool in (await client.list_tools()).tools}

    assert NAME in {entry["name"] for entry in json.loads(shown.output)}
    assert f"/tasks/{NAME}" in everyone.get("/openapi.json").json()["paths"]
    assert NAME in json.dumps(everyone.get("/asyncapi.json").json())
    # What the forms of the dashboard are made of.
    assert NAME in {entry["name"] for entry in everyone.get("/catalog").json()}
    assert TOOL in asyncio.run(tools())
    assert repr(NAME) in stubs(entries)
    assert f'"{NAME}"' in typescript(entries)
