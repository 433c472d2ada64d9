"""Analyzes dead letters for a model: what they died of, examples whose texts are masked, and what to do next."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

from app.context import Context
from app.keys import ApiKey
from app.mcp.arguments import AnalyzeDeadLetters
from app.problems import Unprocessable, told_as
from taskclient.dead_analysis import LetterGroup, group_letters
from taskclient.dead_letters import DeadLetters
from taskclient.dead_pytest import contract_words
from taskclient.dead_scan import LetterFilter
from taskclient.errors import LetterNotFound
from taskclient.letters import Letter
from taskclient.redaction import Redaction

_MOST_GROUPS: Final = 20  # a model has to read them
_PAGE: Final = 500
_TRACEBACK: Final = 1500  # characters, the last ones


def analyze(context: Context, key: ApiKey, wanted: AnalyzeDeadLetters) -> dict[str, Any]:
    """The groups of the letters that the key may read, the largest first.

    Raises:
        Unprocessable: two services have a letter of one id, and one of these was to be shown.
        BrokerUnavailable: Redis could not be asked.
    """
    letters = context.client.dead_letters(wanted.service)
    readable = (one for one in _newest(letters, wanted) if key.may("read", one.task))
    found = [*islice(readable, wanted.most + 1)]
    entries = {entry.name: entry for entry in context.catalog.entries()}
    groups = group_letters(found[: wanted.most], entries)
    return {
        "letters": min(len(found), wanted.most),
        "more_letters": len(found) > wanted.most,
        "more_groups": max(len(groups) - _MOST_GROUPS, 0),
        "groups": [_shown(context, group) for group in groups[:_MOST_GROUPS]],
    }


def _newest(letters: DeadLetters, wanted: AnalyzeDeadLetters) -> Iterator[Letter]:
    after = None
    while True:
        page = letters.list(LetterFilter(wanted.task, wanted.reason), limit=_PAGE, after=after)
        yield from page.letters
        after = page.next
        if after is None:
            return


def _shown(context: Context, group: LetterGroup) -> dict[str, Any]:
    newest = group.examples[0]
    return {
        "reason": group.reason,
        "task": group.task,
        "error": group.error,
        "count": group.count,
        "services": group.services,
        "versions": group.versions,
        "first": _time(group.first),
        "last": _time(group.last),
        "most_attempts": group.attempts,
        "next_step": group.next_step,
        "examples": [{"id": one.id, "service": one.service, "error": one.error} for one in group.examples],
        "newest": _message(context, newest) | {"traceback": (newest.traceback or "")[-_TRACEBACK:] or None},
    }


def _message(context: Context, letter: Letter) -> dict[str, Any]:
    """What was sent, with placeholders for texts: a payload may be personal, and a model is somebody else's."""
    try:
        with told_as(Unprocessable):
            message = context.client.dead_letters(letter.service).show(letter.id).message
    except LetterNotFound:
        return {"gone": "It has just been replayed or discarded."}
    entry = next((one for one in context.catalog.entries() if one.name == letter.task), None)
    redact = Redaction(contract_words(entry.parameters) if entry else ())
    return {
        "payload": redact(message.kwargs, "payload"),
        "args": redact(message.args, "args") or None,
        "masked": redact.changed,
        "unreadable": message.problem,
    }


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
