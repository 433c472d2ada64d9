"""Lets nobody in without a key, and nobody more often than the key allows; whatever is behind it."""

import base64
import binascii
from collections.abc import Collection
from math import ceil
from typing import Final

import redis
import structlog
from starlette.datastructures import Headers, QueryParams
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from app.key_ring import KeyRing
from app.keys import ApiKey, Verb
from app.problems import Forbidden, Json, problem
from app.rate_limit import RateLimit, too_often
from app.tickets import Tickets

SUBPROTOCOL: Final = "wk.events"  # what a WebSocket speaks
KEY_SUBPROTOCOL: Final = "wk.key."  # followed by the key, as browsers can set no other header on a WebSocket
_SCOPE_KEY: Final = "api_key"
_HOW: Final = "Send an API key, as in `Authorization: Bearer wk_...` or `X-API-Key: wk_...`."
log = structlog.get_logger("gateway")


class Authentication:
    """ASGI middleware: finds the key of each request, for `key_of`.

    Args:
        app: what is behind it.
        keys: the keys.
        tickets: tickets that stand for a key once.
        rate_limit: of requests for each key.
        open_paths: paths that need no key; one that ends with / means all below it.
    """

    def __init__(
        self, app: ASGIApp, *, keys: KeyRing, tickets: Tickets, rate_limit: RateLimit, open_paths: Collection[str]
    ) -> None:
        self._app, self._keys, self._tickets, self._rate_limit = app, keys, tickets, rate_limit
        self._paths = frozenset(open_paths)
        self._folders = tuple(path for path in open_paths if path.endswith("/") and path != "/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] not in {"http", "websocket"} or self._is_open(scope["path"]):
            await self._app(scope, receive, send)
            return
        refusal = await self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await WebSocket(scope, receive, send).send_denial_response(refusal)
        else:
            await refusal(scope, receive, send)

    def _is_open(self, path: str) -> bool:
        return path in self._paths or path.startswith(self._folders)

    async def _refusal(self, scope: Scope) -> Json | None:
        """None for who may come in."""
        try:
            key = await self._key(scope)
        except redis.RedisError as error:
            log.warning("a ticket cannot be looked up", error=str(error))
            return problem(503, "Redis does not answer, so the ticket cannot be looked up; try again in a moment.")
        if key is None:
            return problem(401, _HOW, headers={"WWW-Authenticate": "Bearer"})
        scope[_SCOPE_KEY] = key
        wait = await self._rate_limit.wait_of(key)
        if wait:
            return problem(429, too_often(key, wait), headers={"Retry-After": str(ceil(wait))})
        return None

    async def _key(self, scope: Scope) -> ApiKey | None:
        # A browser sends a password by itself, also for the forms of other sites: it is good for looking only.
        secret = _secret(Headers(scope=scope), basic=scope.get("method") == "GET")
        if secret:
            return self._keys.of_secret(secret)
        ticket = QueryParams(scope["query_string"]).get("ticket")
        key_id = await self._tickets.take(ticket) if ticket else None
        return self._keys.of_id(key_id) if key_id else None


def key_of(connection: HTTPConnection) -> ApiKey:
    """The key of a request that was let in."""
    key: ApiKey = connection.scope[_SCOPE_KEY]
    return key


def demand(key: ApiKey, verb: Verb, task: str | None = None) -> None:
    """Refuse who has no scope.

    Args:
        key: whose key.
        verb: what for.
        task: for which task; None for all.

    Raises:
        Forbidden: the key has no such scope.
    """
    if not key.may(verb, task):
        wanted = f"{verb}:{task}" if task else verb
        raise Forbidden(f"The key {key.id} has no scope {wanted!r}; its scopes are {', '.join(key.scopes)}.")


def _secret(headers: Headers, *, basic: bool) -> str | None:
    kind, _, value = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and value.strip():
        return value.strip()
    if kind.lower() == "basic" and basic:
        return _password(value)
    offered = (one.strip() for one in headers.get("sec-websocket-protocol", "").split(","))
    of_socket = next((one.removeprefix(KEY_SUBPROTOCOL) for one in offered if one.startswith(KEY_SUBPROTOCOL)), None)
    return headers.get("x-api-key") or of_socket


def _password(encoded: str) -> str | None:
    try:
        return base64.b64decode(encoded, validate=True).decode().partition(":")[2]
    except (binascii.Error, ValueError):
        return None
