"""The MCP server by stdio: `python -m app.mcp`; the key is GATEWAY_MCP_KEY, one of the gateway's own."""

import argparse
import asyncio
import contextlib
from collections.abc import Sequence

from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPError
from mcp.types import INTERNAL_ERROR, INVALID_REQUEST

from app.config import Settings
from app.context import Context
from app.key_ring import KeyRing
from app.keys import ApiKey
from app.mcp.server import Requests, make_server
from app.rate_limit import RateLimit, too_often
from workerkit import logs


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve one client until it closes the pipe."""
    parser = argparse.ArgumentParser(prog="python -m app.mcp", description=__doc__)
    parser.add_argument("--allow-changes", action="store_true", help="also offer what the key may send and replay")
    given = parser.parse_args(arguments)
    settings = Settings()
    ring, secret = KeyRing(settings.keys, settings.gateway_keys_file), settings.mcp_secret()
    if ring.of_secret(secret) is None:
        parser.error("GATEWAY_MCP_KEY is none of the keys in GATEWAY_KEYS or GATEWAY_KEYS_FILE")
    logs.configure("gateway", level=settings.log_level, fmt=settings.log_format)
    asyncio.run(_serve(settings, ring, secret, changes=given.allow_changes))


async def _serve(settings: Settings, ring: KeyRing, secret: str, *, changes: bool) -> None:
    context = Context.of(settings)
    limit = RateLimit(context.shared)

    async def key_of(_request: Requests) -> ApiKey:
        key = ring.of_secret(secret)
        if key is None:
            raise MCPError(INVALID_REQUEST, "The key in GATEWAY_MCP_KEY is none any more.")
        if wait := await limit.wait_of(key):
            raise MCPError(INTERNAL_ERROR, too_often(key, wait))
        return key

    server = make_server(context, key_of, changes=changes)
    listening = asyncio.create_task(context.hub.run())
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())
    listening.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await listening
    await context.close()


if __name__ == "__main__":
    main()
