"""The MCP server by streamable HTTP, behind the gateway's own keys, rate limit and size limit.

It keeps no sessions, so any gateway may answer any request.
"""

import contextlib
from typing import Final
from urllib.parse import urlsplit

from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from app.authentication import key_of
from app.context import Context
from app.keys import ApiKey
from app.mcp.server import Requests, make_server
from app.problems import problem

PATH: Final = "/mcp"


class McpEndpoint:
    """The ASGI application at PATH; requests are let in only while `running`.

    Args:
        context: the gateway's parts.
    """

    def __init__(self, context: Context) -> None:
        self._manager = StreamableHTTPSessionManager(
            make_server(context, _key_of, changes=True),  # a key's scopes say enough
            stateless=True,
            max_request_body_size=context.settings.gateway_body_bytes,
        )

    def running(self) -> contextlib.AbstractAsyncContextManager[None]:
        """Serve requests; once for each object."""
        return self._manager.run()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; one that a page of another site has made is refused, as browsers may add a password."""
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        if origin and urlsplit(origin).netloc != headers.get("host"):
            await problem(403, f"The origin {origin} is not this gateway.")(scope, receive, send)
            return
        await self._manager.handle_request(scope, receive, send)


async def _key_of(request: Requests) -> ApiKey:
    if request.request is None:
        raise TypeError(request)
    return key_of(request.request)
