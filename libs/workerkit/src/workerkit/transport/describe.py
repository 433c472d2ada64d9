"""What a dead letter says of its message, which is read without trusting it."""

import hashlib
import json
import re
from typing import Any, Final

from taskclient.letters import UNREADABLE, Letter

_ERROR_LENGTH = 1000  # characters
_PLAIN: Final = re.compile(r"[\w.:@/+-]{1,255}", re.ASCII)


def letter_of(raw: bytes, reason: str, error: str, **known: Any) -> Letter:
    """The dead letter of a message.

    Args:
        raw: the message.
        reason: one of the words in `taskclient.letters`.
        error: one line.
        known: further fields of a `Letter`.
    """
    about = _describe(raw)
    if reason == UNREADABLE:  # its id is not to be trusted: another message may have the same
        about["id"] = f"{about['id']}:{_digest(raw)[:12]}"
    return Letter(reason=reason, error=error[:_ERROR_LENGTH], **about, **known)


def _describe(raw: bytes) -> dict[str, Any]:
    # The same words as in `lua/common.lua`, so that a message is one dead letter whoever buries it.
    try:
        headers = json.loads(raw)["headers"]
        known = {name: headers.get(name) for name in ("id", "task")}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        known = {}
    plain = {name: value for name, value in known.items() if isinstance(value, str) and _PLAIN.fullmatch(value)}
    return {"id": plain.get("id", _digest(raw)), "task": plain.get("task")}


def _digest(raw: bytes) -> str:
    return hashlib.sha1(raw, usedforsecurity=False).hexdigest()
