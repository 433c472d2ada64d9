"""Refuses a request whose body is too large, before it is read where its length is said."""

from typing import Final

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.problems import problem

_STATUS: Final = 413


class BodyLimit:
    """ASGI middleware: lets no request through whose body is larger.

    Args:
        app: what is behind it.
        most: bytes.
    """

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app, self._most = app, most
        self._detail = f"The request has more than {most:,} bytes. Store the data and send a reference to it."

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        said = Headers(scope=scope).get("content-length", "0") if scope["type"] == "http" else "0"
        if said.isdecimal() and int(said) > self._most:
            await problem(_STATUS, self._detail)(scope, receive, send)
            return
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._most:
                raise HTTPException(_STATUS, self._detail)
            return message

        await self._app(scope, counted, send)
