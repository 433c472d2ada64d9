"""The tools' names and schemas, and what becomes of arguments, answers and errors."""

import asyncio
import json
import re

import pytest

from app.mcp.__main__ import main
from app.mcp.answers import failure, success
from app.mcp.arguments import GetJob, read, split, trigger_schema
from app.mcp.names import tool_name
from app.mcp.waiting import Teller
from taskclient.catalog import CatalogEntry
from taskclient.errors import PayloadRefused
from taskclient.results import TaskRecord

NAMES = [
    "app.tasks.email.send_email",
    "app.tasks.a.b_c",
    "app.tasks.a_b.c",
    "app.tasks.a._b_c",
    "app.tasks.a_.b_c",
    "app.tasks.a__b.c",
    "app.tasks.été.run",
    "app.tasks.ete.run",
    "app.tasks.ingestion." + "x" * 60,
    "app.tasks.ingestion." + "x" * 61,
    "app.tasks." + "y" * 60 + ".x",
]


def entry(**properties):
    parameters = {"properties": properties, "additionalProperties": False, "type": "object"}
    return CatalogEntry(
        name="app.tasks.shop.order", queue="shop", service="shop", description="", parameters=parameters, result={}
    )


def test_the_name_of_a_tool_follows_from_that_of_its_task():
    assert tool_name("app.tasks.email.send_email") == "trigger_email_send_email"
    assert tool_name("app.tasks.old_email.send") == "trigger_old_email_send-5f602da5"


def test_every_client_takes_the_names_and_no_two_are_the_same():
    names = [tool_name(name) for name in NAMES]
    assert [name for name in names if not re.fullmatch(r"trigger_[A-Za-z0-9_-]{1,42}", name)] == []
    assert len(set(names)) == len(NAMES)


def test_the_schema_is_the_tasks_own_with_the_options():
    schema = trigger_schema(entry(item={"type": "string"}))
    assert list(schema["properties"]) == ["item", "wait_seconds", "idempotency_key"]
    assert (schema["type"], schema["additionalProperties"]) == ("object", False)


def test_an_option_makes_room_for_a_field_of_its_name():
    taken = entry(wait_seconds={"type": "integer"}, _wait_seconds={"type": "integer"})
    assert list(trigger_schema(taken)["properties"]) == [
        "wait_seconds", "_wait_seconds", "__wait_seconds", "idempotency_key"
    ]  # fmt: skip
    payload, options = split(taken, "tool", {"wait_seconds": 1, "_wait_seconds": 2, "__wait_seconds": 3})
    assert (payload, options.wait_seconds) == ({"wait_seconds": 1, "_wait_seconds": 2}, 3.0)
    with pytest.raises(PayloadRefused) as refused:
        split(taken, "tool", {"__wait_seconds": -1, "idempotency_key": ""})
    assert [wrong["field"] for wrong in refused.value.errors] == ["__wait_seconds", "idempotency_key"]


@pytest.mark.parametrize("seconds", [-1, 601, "soon", None, float("nan"), float("inf"), [], 10**400])
def test_every_wrong_argument_is_named(seconds):
    with pytest.raises(PayloadRefused) as refused:
        read(GetJob, "get_job", {"wait_seconds": seconds, "more": 1})
    assert {wrong["field"] for wrong in refused.value.errors} == {"id", "wait_seconds", "more"}


def test_an_answer_holds_only_what_json_can_say():
    answer = success({"result": ["\ud800", float("nan"), "ä", None]})
    assert answer.structured_content == {"result": ["?", None, "ä", None]}
    assert json.loads(answer.content[0].text) == answer.structured_content
    assert json.loads(answer.model_dump_json())["structured_content"] == answer.structured_content


def test_an_error_is_an_answer():
    answer = failure(PayloadRefused("app.tasks.shop.order", [{"field": "item", "problem": "is \ud800 required"}]))
    assert (answer.is_error, answer.structured_content["status"]) == (True, 422)
    assert answer.structured_content["errors"] == [{"field": "item", "problem": "is ? required"}]
    assert "item: is ? required" in answer.content[0].text


def test_an_error_that_nobody_expected_says_nothing_of_the_inside():
    answer = failure(RuntimeError("secret"))
    assert (answer.is_error, answer.structured_content["status"]) == (True, 500)
    assert "secret" not in answer.model_dump_json()


def told(*states):
    """What is told of some states."""

    async def tell():
        found = []

        async def report(*progress):
            found.append(progress)

        teller = Teller(report)
        for status, result in states:
            await teller.tell(TaskRecord("id", status, result))
        return found

    return asyncio.run(tell())


def test_progress_only_grows_and_ends_at_its_total():
    steps = [("PROGRESS", {"current": step, "total": 4, "message": f"step {step}"}) for step in (0, 2, 1, 2, 3)]
    assert told(("PENDING", None), *steps, ("SUCCESS", "a result")) == [
        (0.0, 4.0, "step 0"), (2.0, 4.0, "step 2"), (3.0, 4.0, "step 3"), (4.0, 4.0, "done")
    ]  # fmt: skip


@pytest.mark.parametrize("result", [None, "half", {}, {"current": "1"}, {"current": True}, {"current": 10**400}])
def test_progress_of_another_form_is_not_told(result):
    assert told(("PROGRESS", result), ("FAILURE", {})) == []


def test_a_job_without_progress_tells_its_end():
    assert told(("SUCCESS", 1)) == [(1.0, 1.0, "done")]


def test_stdio_does_not_start_with_a_key_that_the_gateway_does_not_know(monkeypatch, capsys):
    monkeypatch.setenv("GATEWAY_MCP_KEY", "wrong")
    with pytest.raises(SystemExit):
        main([])
    assert "GATEWAY_MCP_KEY is none of the keys" in capsys.readouterr().err
