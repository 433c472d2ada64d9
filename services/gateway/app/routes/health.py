"""Whether the gateway is there, and Redis behind it; the one answer that needs no key."""

import redis
from fastapi import APIRouter

from app.context import Gateway
from app.problems import Json

router = APIRouter()


@router.get("/healthz")
async def healthz(gateway: Gateway) -> Json:
    """`redis` says whether Redis answers; the status is 200 either way, as a restart would not help."""
    try:
        answers = bool(await gateway.shared.ping())
    except redis.RedisError:
        answers = False
    return Json({"status": "ok" if answers else "Redis does not answer", "redis": answers})
