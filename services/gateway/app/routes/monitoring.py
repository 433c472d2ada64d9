"""Whether the gateway is there, and what it and the queues measure."""

import redis
from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from app.authentication import demand
from app.context import Caller, Gateway
from app.problems import Json
from app.schemas import Health

router = APIRouter()


@router.get("/healthz", response_model=Health)
async def healthz(gateway: Gateway) -> Json:
    """`redis` says whether Redis answers; the status is 200 either way, as a restart would not help. Needs no key."""
    try:
        answers = bool(await gateway.shared.ping())
    except redis.RedisError:
        answers = False
    return Json({"status": "ok" if answers else "Redis does not answer", "redis": answers})


@router.get("/metrics", response_class=Response)
def metrics(gateway: Gateway, key: Caller) -> Response:
    """Metrics for Prometheus, which sends the key as its `authorization` or as the password of `basic_auth`."""
    demand(key, "read")
    gateway.metrics.viewers.set(gateway.hub.viewers)
    return Response(gateway.metrics.text(), media_type=CONTENT_TYPE_LATEST)
