"""Dead letters: look at them, replay them, discard them."""

from typing import Annotated

from fastapi import APIRouter, Query

from app.audit import audited
from app.authentication import demand
from app.context import Caller, Context, Gateway
from app.problems import Json, Unprocessable, told_as
from app.schemas import Discarded, LetterPage, LetterWithMessage, Replayed
from taskclient.dead_letters import DeadLetter, DeadLetters
from taskclient.dead_scan import LetterFilter

router = APIRouter(prefix="/dead-letters")
Text = Annotated[str | None, Query(max_length=200)]


@router.get("", response_model=LetterPage)
def listed(
    gateway: Gateway,
    key: Caller,
    service: Text = None,
    task: Text = None,
    reason: Text = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Text = None,
) -> Json:
    """One page of them, the newest first; `next` is the `cursor` of the next page."""
    demand(key, "read", task)
    with told_as(Unprocessable):
        page = gateway.client.dead_letters(service).list(LetterFilter(task, reason), limit=limit, after=cursor)
    # The filter may match more than the scope's pattern that it was matched by.
    letters = [letter.model_dump(mode="json") for letter in page.letters if key.may("read", letter.task)]
    return Json({"letters": letters, "next": page.next})


@router.get("/{letter_id}", response_model=LetterWithMessage)
def show(letter_id: str, gateway: Gateway, key: Caller, service: Text = None) -> Json:
    """One of them with its message, as far as it can be read."""
    dead = _show(gateway.client.dead_letters(service), letter_id)
    demand(key, "read", dead.letter.task)
    message = dead.message
    more = {"args": message.args, "payload": message.kwargs, "headers": message.headers, "problem": message.problem}
    return Json({**dead.letter.model_dump(mode="json"), **more})


@router.post("/{letter_id}/replay", response_model=Replayed)
def replay(letter_id: str, gateway: Gateway, key: Caller, service: Text = None) -> Json:
    """Put its message back into its queue, under the same id; the letter is gone."""
    with audited(key, "replay", letter_id) as line:
        letters = _letters_of(gateway, letter_id, service, line)
        demand(key, "replay", line["task"] or None)
        letter = letters.replay(letter_id)
    return Json({"id": letter.id, "name": letter.task, "queue": letter.list})


@router.delete("/{letter_id}", response_model=Discarded)
def discard(letter_id: str, gateway: Gateway, key: Caller, service: Text = None) -> Json:
    """Remove it and its message for good."""
    with audited(key, "discard", letter_id) as line:
        letters = _letters_of(gateway, letter_id, service, line)
        demand(key, "discard", line["task"] or None)
        letter = letters.discard(letter_id)
    return Json({"id": letter.id, "name": letter.task})


def _letters_of(gateway: Context, letter_id: str, service: str | None, line: dict[str, str]) -> DeadLetters:
    """The letters of the service that has this one; its task goes into the audit line."""
    letter = _show(gateway.client.dead_letters(service), letter_id).letter
    line["task"], line["service"] = letter.task or "", letter.service
    return gateway.client.dead_letters(letter.service)


def _show(letters: DeadLetters, letter_id: str) -> DeadLetter:
    with told_as(Unprocessable):  # more than one service may have it
        return letters.show(letter_id)
