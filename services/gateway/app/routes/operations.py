"""What operators see and steer: queues and workers."""

from dataclasses import asdict

from fastapi import APIRouter

from app.audit import audited
from app.authentication import demand
from app.context import Caller, Gateway
from app.problems import Json, Unsupported, told_as
from app.schemas import QueueChange
from taskclient.queues import QueueState
from taskclient.workers import Worker

router = APIRouter()


@router.get("/queues", response_model=list[QueueState])
def queues(gateway: Gateway, key: Caller) -> Json:
    """How full each queue is, and whether it is paused."""
    demand(key, "read")
    with told_as(Unsupported):
        return Json([asdict(state) for state in gateway.client.queues()])


@router.post("/queues/{queue}/pause", response_model=QueueChange)
def pause(queue: str, gateway: Gateway, key: Caller) -> Json:
    """Have no worker take messages from a queue, until it is resumed; messages can still be sent, and wait."""
    return Json({"queue": queue, "paused": True, "changed": _set_paused(gateway, key, queue, paused=True)})


@router.post("/queues/{queue}/resume", response_model=QueueChange)
def resume(queue: str, gateway: Gateway, key: Caller) -> Json:
    """Have workers take messages from a queue again, at once."""
    return Json({"queue": queue, "paused": False, "changed": _set_paused(gateway, key, queue, paused=False)})


@router.get("/workers", response_model=list[Worker])
def workers(gateway: Gateway, key: Caller) -> Json:
    """The workers there are, and how many messages each of them holds."""
    demand(key, "read")
    return Json([asdict(worker) for worker in gateway.client.workers()])


def _set_paused(gateway: Gateway, key: Caller, queue: str, *, paused: bool) -> bool:
    with audited(key, "operate", f"{'pause' if paused else 'resume'} queue {queue}"), told_as(Unsupported):
        demand(key, "operate")
        return gateway.client.pause(queue) if paused else gateway.client.resume(queue)
