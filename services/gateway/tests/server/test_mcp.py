"""The MCP SDK's own client, by streamable HTTP and by stdio: tools, progress, scopes, errors."""

import asyncio
import contextlib
import json
import sys

import httpx
import httpx2
import pytest
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.subscriptions import ToolsListChanged

from devstack.gateway import SERVICE
from devstack.waiting import wait_for
from taskclient.catalog import CatalogEntry, publish_catalog

ORDER, WALK, REFUSE = "trigger_clerk_order", "trigger_clerk_walk", "trigger_clerk_refuse"
READING = {"get_job", "queue_stats", "analyze_dead_letter_queue"}
GOOD = {"customer": "ada@example.com", "lines": [{"item": "tea", "count": 2}]}
BAD = {"customer": "nobody", "lines": [{"item": 3, "count": 0}], "more": 1}
ENDED = {"SUCCESS", "FAILURE"}
JSON = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}

pytestmark = pytest.mark.usefixtures("worker")


@contextlib.asynccontextmanager
async def over_http(gateway, key_id, mode):
    async with (
        httpx2.AsyncClient(headers=gateway.headers(key_id), timeout=60) as web,
        Client(streamable_http_client(f"{gateway.url}/mcp", http_client=web), mode=mode) as client,
    ):
        yield client


@contextlib.asynccontextmanager
async def over_stdio(gateway, key_id, mode, *flags):
    names = ("PATH", "ENVIRONMENT", "TASK_BROKER_URL", "GATEWAY_KEYS_FILE", "LOG_FORMAT")
    env = {name: gateway.env[name] for name in names} | {"GATEWAY_MCP_KEY": gateway.secrets[key_id]}
    command = StdioServerParameters(command=sys.executable, args=["-m", "app.mcp", *flags], env=env, cwd=SERVICE)
    async with Client(command, mode=mode) as client:
        yield client


def session(gateway, way, key_id="all"):
    """A connection of one of the kinds in WAYS."""
    transport, mode = way.split()
    if transport == "http":
        return over_http(gateway, key_id, mode)
    return over_stdio(gateway, key_id, mode, "--allow-changes")


WAYS = ["http auto", "http legacy", "stdio auto", "stdio legacy"]


async def called(client, tool, /, **given):
    """What a tool answers, and whether that is an error."""
    answer = await client.call_tool(tool, given)
    assert answer.is_error or json.loads(answer.content[0].text) == answer.structured_content
    return answer.structured_content, answer.is_error


@pytest.mark.parametrize("way", WAYS)
def test_a_client_lists_the_tools_runs_a_task_reads_its_progress_and_is_told_every_wrong_field(gateway, everyone, way):
    async def run():
        told = []

        async def progress(*step):
            told.append(step)

        async with session(gateway, way) as client:
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            given = {"steps": 30, "seconds": 0.02, "wait_seconds": 60}
            done = await client.call_tool(WALK, given, progress_callback=progress)
            job = await called(client, "get_job", id=done.structured_content["id"])
            return tools, told, done, job, await called(client, ORDER, **BAD)

    tools, told, done, (job, failed), refused = asyncio.run(run())
    assert tools.keys() >= {*READING, "replay_dead_letter", ORDER, WALK, REFUSE}
    assert tools[ORDER].title == "app.tasks.clerk.order"
    assert "Count what was ordered." in tools[ORDER].description
    assert set(tools[ORDER].input_schema["required"]) == {"customer", "lines"}
    assert (tools["get_job"].annotations.read_only_hint, tools[ORDER].annotations.read_only_hint) == (True, False)
    assert not done.is_error, done
    steps = [current for current, _, _ in told]
    assert (steps == sorted(set(steps)), len(steps) > 3, told[-1][:2]) == (True, True, (30, 30))
    expected = {"name": "app.tasks.clerk.walk", "status": "SUCCESS", "result": 30, "error": None}
    assert (done.structured_content.items() >= expected.items(), done.structured_content["queue"]) == (True, "clerk")
    assert (job.items() >= expected.items(), failed) == (True, False)
    assert refused == (everyone.post("/tasks/app.tasks.clerk.order", json=BAD).json(), True)
    wrong = {one["field"] for one in refused[0]["errors"]}
    assert wrong == {"customer", "lines.0.item", "lines.0.count", "more"}


def test_a_call_does_not_wait_unless_it_is_asked_to(gateway):
    async def run():
        async with over_http(gateway, "all", "auto") as client:
            sent, _ = await called(client, WALK, steps=100, seconds=0.02)
            early, _ = await called(client, "get_job", id=sent["id"], wait_seconds=0.3)
            late, _ = await called(client, "get_job", id=sent["id"], wait_seconds=60)
        return sent, early, late

    sent, early, late = asyncio.run(run())
    assert sent == {"id": sent["id"], "name": "app.tasks.clerk.walk", "queue": "clerk"}
    assert (early["status"] in ENDED, late["result"]) == (False, 100)


@pytest.mark.parametrize(
    ("tool", "given", "status"),
    [
        ("trigger_clerk_echo", {"value": "x" * 300_000}, 413),
        ("trigger_clerk_echo", {"value": "\ud800"}, 422),
        ("trigger_clerk_echo", {"value": float("nan")}, 422),
        ("trigger_clerk_echo", {"value": 1, "wait_seconds": -1}, 422),
        ("get_job", {}, 422),
        ("get_job", {"id": "x", "wait_seconds": "soon"}, 422),
        ("queue_stats", {"queue": "clerk"}, 422),
        ("analyze_dead_letter_queue", {"most": 0}, 422),
        ("replay_dead_letter", {"id": "nothing"}, 404),
    ],
)
def test_a_bad_call_is_an_answer_and_no_crash(gateway, tool, given, status):
    """Sent as it stands, as the SDK's client would not send half a character."""
    version = "2026-07-28"
    meta = {"protocolVersion": version, "clientCapabilities": {}}
    meta = {f"io.modelcontextprotocol/{name}": value for name, value in meta.items()}
    params = {"name": tool, "arguments": given, "_meta": meta}
    ask = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    headers = {**JSON, "MCP-Protocol-Version": version, "Mcp-Method": "tools/call", "Mcp-Name": tool}
    answer = httpx.post(f"{gateway.url}/mcp", content=json.dumps(ask), headers={**gateway.headers("all"), **headers})
    result = answer.json()["result"]
    assert (result["isError"], result["structuredContent"]["status"]) == (True, status)


def test_a_tool_that_is_not_there_is_refused_with_what_was_meant(gateway):
    async def run():
        async with over_http(gateway, "all", "auto") as client:
            with pytest.raises(MCPError, match=f"no tool 'trigger_clerk_oder'; did you mean {ORDER}"):
                await client.call_tool("trigger_clerk_oder", {})

    asyncio.run(run())


@pytest.mark.parametrize(
    ("key_id", "listed"),
    [
        ("reader", READING),
        ("sender", {f"trigger_clerk_{task}" for task in ("order", "refuse", "echo", "walk")}),
        ("orders", {"get_job", "analyze_dead_letter_queue", ORDER}),
        ("replayer", {*READING, "replay_dead_letter"}),
    ],
)
def test_a_key_sees_and_may_call_what_its_scopes_allow(gateway, key_id, listed):
    async def run():
        async with over_http(gateway, key_id, "auto") as client:
            tools = {tool.name for tool in (await client.list_tools()).tools}
            return tools, await called(client, "trigger_clerk_echo", value=1), await called(client, "queue_stats")

    tools, (sent, not_sent), (_, not_told) = asyncio.run(run())
    assert {tool for tool in tools if not tool.startswith("trigger_billing")} == listed
    assert (not_sent, not_told) == (key_id != "sender", key_id not in {"reader", "replayer"})
    assert key_id == "sender" or f"The key {key_id} has no scope 'send:app.tasks.clerk.echo'" in sent["detail"]
    refused = [line for line in gateway.records() if line["event"] == "audit"]
    assert key_id == "sender" or any((one["key"], one["outcome"]) == (key_id, 403) for one in refused)


def test_waiting_for_a_job_is_reading_it(gateway):
    async def run():
        async with over_http(gateway, "sender", "auto") as client:
            return await called(client, ORDER, **GOOD, wait_seconds=5)

    refused, failed = asyncio.run(run())
    assert (failed, "no scope 'read:app.tasks.clerk.order'" in refused["detail"]) == (True, True)


def test_stdio_is_read_only_unless_changes_are_allowed(gateway):
    async def run():
        async with over_stdio(gateway, "all", "auto") as client:
            tools = {tool.name for tool in (await client.list_tools()).tools}
            return tools, await called(client, ORDER, **GOOD), await called(client, "replay_dead_letter", id="x")

    tools, *answers = asyncio.run(run())
    assert tools == READING
    assert [(answer["status"], "--allow-changes" in answer["detail"]) for answer, _ in answers] == [(403, True)] * 2


def test_stdio_obeys_the_rate_of_its_key(gateway):
    async def run():
        async with over_stdio(gateway, "slow", "2026-07-28") as client:
            answers = [await client.list_tools(cache_mode="bypass") for _ in range(3)]
            with pytest.raises(MCPError, match=r"The key slow may make 0.01 requests a second; try again in"):
                await client.list_tools(cache_mode="bypass")
            return answers

    assert len(asyncio.run(run())) == 3


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_without_a_key_nothing(gateway, method, headers):
    assert httpx.request(method, f"{gateway.url}/mcp", headers=headers).status_code == 401


def test_a_page_of_another_site_is_refused(gateway):
    headers = gateway.headers("all")
    ask = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    for origin, status in ((gateway.url, 200), ("https://evil.example", 403), ("null", 403)):
        answer = httpx.post(f"{gateway.url}/mcp", json=ask, headers={**headers, **JSON, "Origin": origin})
        assert answer.status_code == status, answer.text


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"[" * 50_000, b'{"jsonrpc": "2.0"}', b"\xff\xfe", b"1" * 5_000])
def test_what_is_no_request_is_refused(gateway, body):
    for more in ({}, {"MCP-Protocol-Version": "2026-07-28"}, {"MCP-Protocol-Version": "?"}):
        headers = {**gateway.headers("all"), **JSON, **more}
        answer = httpx.post(f"{gateway.url}/mcp", content=body, headers=headers)
        assert 400 <= answer.status_code < 500, answer.text


def test_dead_letters_are_analyzed_without_their_texts_and_replayed(gateway, everyone):
    ids = [everyone.post("/tasks/app.tasks.clerk.refuse", json={"reason": f"Ada lives at {n}"}).json() for n in (1, 2)]
    wait_for(lambda: all(everyone.get(f"/dead-letters/{job['id']}").status_code == 200 for job in ids))

    async def run():
        async with over_http(gateway, "replayer", "auto") as client:
            task = "app.tasks.clerk.refuse"
            found, _ = await called(client, "analyze_dead_letter_queue", service="clerk", task=task, reason="failed")
            replayed, failed = await called(client, "replay_dead_letter", id=ids[0]["id"])
        return found, replayed, failed

    found, replayed, failed = asyncio.run(run())
    group = found["groups"][0]
    assert (found["letters"], found["more_letters"], len(found["groups"])) == (group["count"], False, 1)
    assert (group["error"], group["reason"]) == ("PermanentError: Ada lives at …", "failed")
    assert group["newest"]["payload"] == {"reason": "Xxx xxxxx xx 1"}
    assert "PermanentError" in group["newest"]["traceback"]
    assert "tasks dead test" in group["next_step"]
    assert {one["id"] for one in group["examples"]} >= {ids[1]["id"]}
    assert (replayed["id"], failed) == (ids[0]["id"], False)


def test_letters_beyond_the_scope_are_not_seen(gateway, everyone):
    job = everyone.post("/tasks/app.tasks.clerk.refuse", json={"reason": "hidden"}).json()
    wait_for(lambda: everyone.get(f"/dead-letters/{job['id']}").status_code == 200)

    async def run():
        async with over_http(gateway, "orders", "auto") as client:
            return await called(client, "analyze_dead_letter_queue")

    assert asyncio.run(run()) == ({"letters": 0, "more_letters": False, "more_groups": 0, "groups": []}, False)


def test_queues_are_counted(gateway):
    async def run():
        async with over_http(gateway, "reader", "auto") as client:
            return await called(client, "queue_stats", service="clerk")

    found, failed = asyncio.run(run())
    assert ([one["queue"] for one in found["queues"]], failed) == (["clerk"], False)
    assert found["queues"][0].keys() >= {"depth", "oldest_seconds", "in_flight", "delayed", "parked", "paused"}


def test_a_new_task_is_a_new_tool_and_who_listens_is_told(gateway, module_valkey):
    entry = CatalogEntry(
        name="app.tasks.billing.charge", queue="billing", service="billing", description="Charge a card.",
        parameters={"type": "object", "properties": {"cents": {"type": "integer"}}}, result={},
    )  # fmt: skip

    async def run():
        async with over_http(gateway, "all", "auto") as client, client.listen(tools_list_changed=True) as changes:
            with module_valkey.client() as redis:
                publish_catalog(redis, "billing", [entry])
            event = await asyncio.wait_for(anext(changes), 30)
            return event, {tool.name: tool for tool in (await client.list_tools(cache_mode="bypass")).tools}

    event, tools = asyncio.run(run())
    assert event == ToolsListChanged()
    assert "cents" in tools["trigger_billing_charge"].input_schema["properties"]
