"""The states of a job as they come: server-sent events and a WebSocket, both by way of the hub."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Annotated, Final

import redis
from fastapi import APIRouter, Header, WebSocket, WebSocketDisconnect
from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse, format_sse_event
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from app.authentication import SUBPROTOCOL
from app.context import Caller, Context, Gateway
from app.jobs import Job, event_id, job_of
from app.keys import ApiKey
from app.problems import answer_of
from app.routes.jobs import JobId, readable_name
from taskclient.results import TaskRecord

router = APIRouter()
_TRY_AGAIN: Final = 1013  # a WebSocket's close code
_SILENCE_SECONDS: Final = 15.0  # then a comment is sent, so that nobody between takes the stream for dead


class Event(Job):
    """A state of a job with its id, from which a stream can be taken up again."""

    event: str


@router.get("/jobs/{job_id}/events", response_class=StreamingResponse)
async def stream(
    job_id: JobId, gateway: Gateway, key: Caller, last_event_id: Annotated[str | None, Header()] = None
) -> Response:
    """The job's state now, and then each new one, until it has ended; of many in a short time the latest."""
    name, record = await run_in_threadpool(_look, gateway, key, job_id)
    if record.finished and event_id(record) == last_event_id:
        return Response(status_code=204)  # tells a browser to come back no more
    return EventSourceResponse(_stream(gateway, job_id, name, last_event_id))


@router.websocket("/jobs/{job_id}/events")
async def socket(websocket: WebSocket, job_id: JobId, gateway: Gateway, key: Caller, after: str | None = None) -> None:
    """The same as JSON texts, one for each state; `after` is the `event` of the last one that was seen."""
    try:
        name, _ = await run_in_threadpool(_look, gateway, key, job_id)
    except Exception as error:  # noqa: BLE001 - each becomes the answer to the handshake
        await websocket.send_denial_response(answer_of(error))
        return
    spoken = SUBPROTOCOL if SUBPROTOCOL in websocket.scope.get("subprotocols", []) else None
    await websocket.accept(subprotocol=spoken)
    sending = asyncio.create_task(_send(websocket, gateway, job_id, name, after))
    leaving = asyncio.create_task(_until_gone(websocket))
    await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
    for task in (sending, leaving):
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect):
            await task


async def _stream(gateway: Context, job_id: str, name: str | None, after: str | None) -> AsyncIterator[bytes]:
    with contextlib.suppress(redis.RedisError):  # the stream ends, and its viewer comes back
        async for text, event in _events(gateway, job_id, name, after):
            yield format_sse_event(data_str=text, id=event) if text else KEEPALIVE_COMMENT


async def _send(websocket: WebSocket, gateway: Context, job_id: str, name: str | None, after: str | None) -> None:
    try:
        async for text, _ in _events(gateway, job_id, name, after):
            if text:
                await websocket.send_text(text)
    except redis.RedisError:
        await websocket.close(_TRY_AGAIN)
    else:
        await websocket.close()


async def _events(gateway: Context, job_id: str, name: str | None, after: str | None) -> AsyncIterator[tuple[str, str]]:
    """The text and the id of each state; both empty after some silence."""
    async with gateway.hub.watch(job_id) as viewer:
        while True:
            record = await viewer.next(_SILENCE_SECONDS)
            if record is None:
                yield "", ""
                continue
            event = event_id(record)
            if event != after:
                yield json.dumps(Event(**job_of(record, name), event=event), default=str), event
            if record.finished:
                return


async def _until_gone(websocket: WebSocket) -> None:
    """Ends when the viewer has left; what it says does not matter."""
    with contextlib.suppress(WebSocketDisconnect):
        async for _ in websocket.iter_bytes():
            pass


def _look(gateway: Context, key: ApiKey, job_id: str) -> tuple[str | None, TaskRecord]:
    """The job's name and state, for who may see it and as long as there is room for one more viewer."""
    name = readable_name(gateway, key, job_id)
    gateway.hub.check()
    return name, gateway.client.handle(job_id).record()
