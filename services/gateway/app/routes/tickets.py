"""Tickets for browsers: `POST /tickets` with a key, then `?ticket=` once where no header can be set."""

from fastapi import APIRouter

from app.context import Caller, Gateway
from app.problems import Json
from app.schemas import Ticket
from app.tickets import SECONDS
from taskclient.connection import broker_errors

router = APIRouter()


@router.post("/tickets", status_code=201, response_model=Ticket)
async def issue(gateway: Gateway, key: Caller) -> Json:
    """A ticket that stands for the key once, within half a minute."""
    with broker_errors(gateway.settings.redis(), "keeping a ticket"):
        ticket = await gateway.tickets.issue(key.id)
    return Json({"ticket": ticket, "expires_in": SECONDS}, 201)
