"""The MCP server itself: lists tools, calls them, and says when the list has changed; for any transport."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ToolsListChanged
from mcp.shared.exceptions import MCPError
from mcp.types import (
    INTERNAL_ERROR,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
)
from starlette.concurrency import run_in_threadpool

from app.catalog import Catalog
from app.context import Context
from app.keys import ApiKey
from app.mcp.answers import failure, success
from app.mcp.tools import Tools
from taskclient.errors import BrokerUnavailable

LOOK_SECONDS: Final = 5.0  # at the catalog, for who wants to be told that it has changed
_INSTRUCTIONS: Final = (
    "Background tasks of services. trigger_* sends a task and answers with a job's id at once, or after "
    "wait_seconds with its result; get_job tells how far a job is. For failures begin with analyze_dead_letter_queue."
)
Requests = ServerRequestContext[Any, Any]
KeyOf = Callable[[Requests], Awaitable[ApiKey]]


def make_server(context: Context, key_of: KeyOf, *, changes: bool) -> Server[Any]:
    """Make the server.

    Args:
        context: the gateway's parts; its hub must be at work.
        key_of: the key of a request; raises MCPError for one that may not be made.
        changes: whether there are tools that change something, for keys with the scope for it.
    """
    tools = Tools(context, changes=changes)
    bus = InMemorySubscriptionBus()
    listening = ListenHandler(bus)

    async def list_tools(request: Requests, _params: PaginatedRequestParams | None) -> ListToolsResult:
        key = await key_of(request)
        try:
            return ListToolsResult(tools=await run_in_threadpool(tools.listed, key))
        except BrokerUnavailable as error:
            raise MCPError(INTERNAL_ERROR, str(error)) from error

    async def call_tool(request: Requests, params: CallToolRequestParams) -> CallToolResult:
        key = await key_of(request)
        try:
            report = request.session.report_progress
            return success(await tools.call(params.name, params.arguments or {}, key, report))
        except MCPError:
            raise
        except Exception as error:  # noqa: BLE001 - each becomes the tool's answer
            return failure(error)

    @contextlib.asynccontextmanager
    async def watching(_server: Server[Any]) -> AsyncIterator[None]:
        watch = asyncio.create_task(_tell_changes(context.catalog, bus))
        try:
            yield
        finally:
            listening.close()
            watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watch

    return Server(
        "task-gateway",
        version=context.settings.version,
        title="Task gateway",
        instructions=_INSTRUCTIONS,
        lifespan=watching,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_subscriptions_listen=listening,
        get_tool_input_schema=lambda _name: None,  # no tool wants its arguments repeated in headers
    )


async def _tell_changes(catalog: Catalog, bus: InMemorySubscriptionBus) -> None:
    known = None
    while True:
        with contextlib.suppress(BrokerUnavailable):
            found = await run_in_threadpool(_fingerprint, catalog)
            if known not in (None, found):
                await bus.publish(ToolsListChanged())
            known = found
        await asyncio.sleep(LOOK_SECONDS)


def _fingerprint(catalog: Catalog) -> str:
    return json.dumps([entry.model_dump(mode="json") for entry in catalog.entries()])
