"""What the dashboard watches: everything at once, each second; and what the caller's key may do."""

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.sse import EventSourceResponse
from starlette.requests import HTTPConnection

from app.authentication import demand
from app.context import Caller
from app.keys import VERBS
from app.monitor import Monitor
from app.problems import Json
from app.schemas import Overview, OwnKey

router = APIRouter()


def monitor_of(connection: HTTPConnection) -> Monitor:
    """The monitor of the gateway that a request came to."""
    monitor: Monitor = connection.app.state.monitor
    return monitor


Watched = Annotated[Monitor, Depends(monitor_of)]


@router.get("/key", response_model=OwnKey)
def own_key(key: Caller) -> Json:
    """The caller's own key: its id, and for each verb the patterns of the tasks that it may be used for."""
    return Json({"id": key.id, "may": {verb: key.patterns(verb) for verb in VERBS}})


@router.get("/overview", response_model=Overview)
async def overview(monitor: Watched, key: Caller) -> Json:
    """Queues, workers, running jobs, schedules and the numbers of dead letters, not older than five seconds."""
    demand(key, "read")
    return Json(monitor.snapshot)


@router.get("/overview/events", include_in_schema=False)
async def overview_events(monitor: Watched, key: Caller) -> EventSourceResponse:
    """The same as server-sent events: `history`, an hour of it, then a `snapshot` each second."""
    demand(key, "read")
    monitor.check()
    return EventSourceResponse(monitor.events())
