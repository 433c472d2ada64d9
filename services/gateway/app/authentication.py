"""Lets nobody in without a key, and nobody more often than the key allows; whatever is behind it."""

import base64
import binascii
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
OPEN_PATH: Final = "/healthz"  # the only one that needs no key
_SCOPE_KEY: Final = "api_key"
_HOW: Final = (
    "There is no API key, or none that the gateway knows. Send one, as in `Authorization: Bearer wk_...` or "
    "`X-API-Key: wk_...`; in a browser, sign in with any user name and the key as password."
)
_FOREIGN: Final = (
    "A password is taken for a change only if the browser says that the gateway's own page asks for it. Send the key "
    "as `X-API-Key: wk_...`, as the dashboard does with the key of a tab."
)
_SIGN_IN: Final = 'Basic realm="any user name, an API key as password", charset="UTF-8"'  # a browser asks by itself
_LOOKING: Final = frozenset({"GET", "HEAD"})
log = structlog.get_logger("gateway")


class Authentication:
    """ASGI middleware: finds the key of each request, for `key_of`.

    Args:
        app: what is behind it.
        keys: the keys.
        tickets: tickets that stand for a key once.
        rate_limit: of requests for each key.
    """

    def __init__(self, app: ASGIApp, *, keys: KeyRing, tickets: Tickets, rate_limit: RateLimit) -> None:
        self._app, self._keys, self._tickets, self._rate_limit = app, keys, tickets, rate_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] not in {"http", "websocket"} or scope["path"] == OPEN_PATH:
            await self._app(scope, receive, send)
            return
        refusal = await self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await WebSocket(scope, receive, send).send_denial_response(refusal)
        else:
            await refusal(scope, receive, send)

    async def _refusal(self, scope: Scope) -> Json | None:
        """None for who may come in."""
        try:
            key = await self._key(scope)
        except redis.RedisError as error:
            log.warning("a ticket cannot be looked up", error=str(error))
            return problem(503, "Redis does not answer, so the ticket cannot be looked up; try again in a moment.")
        if key is None:
            return _unknown(scope)
        scope[_SCOPE_KEY] = key
        wait = await self._rate_limit.wait_of(key)
        if wait:
            return problem(429, too_often(key, wait), headers={"Retry-After": str(ceil(wait))})
        return None

    async def _key(self, scope: Scope) -> ApiKey | None:
        headers = Headers(scope=scope)
        secret = _secret(headers)
        ticket = QueryParams(scope["query_string"]).get("ticket")
        if not secret and ticket:
            key_id = await self._tickets.take(ticket)
            return self._keys.of_id(key_id) if key_id else None
        # Last, since a browser adds the password by itself to what a page sends under a key of its own.
        secret = secret or _password(scope, headers)
        return self._keys.of_secret(secret) if secret else None


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


def _secret(headers: Headers) -> str | None:
    kind, _, value = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and value.strip():
        return value.strip()
    offered = (one.strip() for one in headers.get("sec-websocket-protocol", "").split(","))
    of_socket = next((one.removeprefix(KEY_SUBPROTOCOL) for one in offered if one.startswith(KEY_SUBPROTOCOL)), None)
    return headers.get("x-api-key") or of_socket


def _password(scope: Scope, headers: Headers) -> str | None:
    kind, _, encoded = headers.get("authorization", "").partition(" ")
    if kind.lower() != "basic" or not _takes_password(scope, headers):
        return None
    try:
        return base64.b64decode(encoded, validate=True).decode().partition(":")[2]
    except (binascii.Error, ValueError):
        return None


def _takes_password(scope: Scope, headers: Headers) -> bool:
    """A browser sends it by itself, also with the forms and the sockets of other sites: from those it is for looking.

    What they get to look at, the browser does not show them. A page cannot set the headers that say where it is from.
    """
    looks = scope.get("method") in _LOOKING  # a socket has no method
    return looks or (scope["type"] == "http" and _from_own_page(headers))


def _from_own_page(headers: Headers) -> bool:
    site = headers.get("sec-fetch-site")
    if site:
        return site == "same-origin"
    # Browsers say that by HTTPS and on localhost only, but for a change always the origin.
    return headers.get("origin", "").partition("://")[2] == headers.get("host", " ")


def _unknown(scope: Scope) -> Json:
    """The refusal; only where somebody goes to a page does it make a browser ask for a password."""
    headers = Headers(scope=scope)
    goes = scope.get("method") in _LOOKING and "text/html" in headers.get("accept", "")
    offered = scope["type"] == "http" and headers.get("authorization", "").lower().startswith("basic ")
    detail = _FOREIGN if offered and not _takes_password(scope, headers) else _HOW
    return problem(401, detail, headers={"WWW-Authenticate": _SIGN_IN if goes else "Bearer"})
