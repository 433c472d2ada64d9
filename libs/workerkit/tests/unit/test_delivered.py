"""What the tracer is given with a message is what Celery's own request would give it."""

import json
from typing import Any

import pytest
from celery.app.task import Context

from taskclient.message import build_message
from workerkit.short_tasks.delivered import Delivered
from workerkit.transport.holder import Held


@pytest.mark.parametrize(
    "headers", [{}, {"own": 1, "compression_level": "x"}, {"own": 1, "headers": {"other": 2}}, {"lang": "go"}]
)
def test_a_senders_own_headers_are_those_that_celery_finds(headers: dict[str, Any]) -> None:
    message = json.loads(build_message("app.tasks.demo.mark", {"name": "x"}, queue="demo", task_id="id-1"))
    message["headers"] |= headers
    channel: Any = None
    known = Delivered(channel, "1", Held("demo", json.dumps(message).encode(), 0)).run_with("worker@host")
    expected = headers.get("headers") or Context()._get_custom_headers(known | {"headers": None})
    assert Context(known).headers == expected
    assert ("own" in (Context(known).headers or {})) is ("own" in headers and "headers" not in headers)
