"""What a tool answers: JSON, as text for the model and as data for the program; an error in the gateway's one form."""

import json
from typing import Any

import structlog
from mcp.types import CallToolResult, TextContent

from app.problems import answer_of

_GATEWAY_FAILED = 500
log = structlog.get_logger("gateway")


def success(content: dict[str, Any]) -> CallToolResult:
    """The answer of a tool that has done what was asked."""
    plain = _plain(content)
    text = TextContent(type="text", text=json.dumps(plain, ensure_ascii=False))
    return CallToolResult(content=[text], structured_content=plain)


def failure(error: Exception) -> CallToolResult:
    """The answer to an error: for the model a sentence, for the program what HTTP callers get."""
    answer = answer_of(error)
    if answer.status_code == _GATEWAY_FAILED:
        log.error("a tool failed", exc_info=error)
    problem = _plain(json.loads(bytes(answer.body)))
    text = TextContent(type="text", text=problem["detail"])
    return CallToolResult(content=[text], structured_content=problem, is_error=True)


def _plain(content: dict[str, Any]) -> dict[str, Any]:
    """Only what JSON can say in UTF-8: neither half a character nor NaN, which a task's result may hold."""
    text = json.dumps(content, ensure_ascii=False, default=str).encode(errors="replace")
    plain: dict[str, Any] = json.loads(text, parse_constant=lambda _: None)
    return plain
