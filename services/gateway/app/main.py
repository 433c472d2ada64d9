"""The gateway: any task by HTTP, its progress by events, and what operators need. `python -m app.main` serves it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

import uvicorn
from fastapi import FastAPI
from starlette.routing import Route

from app import api_page, pages, problems
from app.authentication import Authentication
from app.body_limit import BodyLimit
from app.config import Settings
from app.context import Context
from app.headers import SecurityHeaders
from app.key_ring import KeyRing
from app.mcp.http import PATH as MCP_PATH
from app.mcp.http import McpEndpoint
from app.metrics import Measure
from app.monitor import Monitor
from app.overview import read_overview
from app.rate_limit import RateLimit
from app.routes import (
    catalog,
    dead_letters,
    events,
    jobs,
    monitoring,
    operations,
    overview,
    schedules,
    tasks,
    tickets,
)
from workerkit import logs

_PARTS: Final = (
    tasks, jobs, events, catalog, dead_letters, operations, schedules, overview, tickets, monitoring,
)  # fmt: skip


def make_app(settings: Settings) -> FastAPI:
    """Make the application; it connects when it is used first.

    Args:
        settings: the gateway's settings.
    """
    context = Context.of(settings)
    app = FastAPI(
        title="Task gateway", version=settings.version, openapi_url=None, lifespan=_lifespan,
        default_response_class=problems.Json,
    )  # fmt: skip
    app.state.context = context
    app.state.monitor = Monitor(lambda: read_overview(context), settings.gateway_viewers)
    problems.install(app)
    for part in _PARTS:
        app.include_router(part.router)
    app.state.mcp = McpEndpoint(context)
    app.router.routes.append(Route(MCP_PATH, app.state.mcp, include_in_schema=False))
    pages.install(app)
    api_page.install(app)
    # The last one added is the first that a request comes to.
    app.add_middleware(BodyLimit, most=settings.gateway_body_bytes)
    app.add_middleware(
        Authentication,
        keys=KeyRing(settings.keys, settings.gateway_keys_file),
        tickets=context.tickets,
        rate_limit=RateLimit(context.shared),
    )
    app.add_middleware(SecurityHeaders)
    app.add_middleware(Measure, metrics=context.metrics)
    return app


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    context: Context = app.state.context
    mcp: McpEndpoint = app.state.mcp
    running = [asyncio.create_task(part.run()) for part in (context.hub, app.state.monitor)]
    async with mcp.running():
        yield
    for task in running:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    await context.close()


if __name__ == "__main__":
    own = Settings()
    logs.configure("gateway", level=own.log_level, fmt=own.log_format)
    uvicorn.run(
        make_app(own),
        host=own.gateway_address,
        port=own.gateway_port,
        access_log=False,  # the addresses may hold tickets; what was changed is in the audit log
        log_config=None,
        server_header=False,
        ws_max_size=64 * 1024,  # bytes; viewers have nothing to say
        ws_per_message_deflate=False,  # it would cost memory for each viewer
        timeout_graceful_shutdown=5,  # seconds for what is under way; streams are taken up elsewhere
    )
