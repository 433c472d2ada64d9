"""What the tool of a task is called: a name that every MCP client takes, and that no other task's tool has."""

import hashlib
import re
from typing import Final

PREFIX: Final = "trigger_"
_COMMON: Final = "app.tasks."
_PLAIN: Final = re.compile(r"[A-Za-z0-9]+\.[A-Za-z0-9_]+")
_LONGEST: Final = 50  # characters; clients put their name for the server before it, and some allow 64 for both
_DIGITS: Final = 8


def tool_name(task: str) -> str:
    """The name of a task's tool, which depends on the task's name alone.

    `app.tasks.email.send_email` is `trigger_email_send_email`: the module ends at the first underscore. Where that
    would not be so, as it has one itself, and where the name is too long or not ASCII, digits of its SHA-256 make it
    unique: `app.tasks.old_email.send` is `trigger_old_email_send-5f602da5`.

    Args:
        task: the task's full name.
    """
    short = task.removeprefix(_COMMON)
    name = PREFIX + short.replace(".", "_")
    if _PLAIN.fullmatch(short) and len(name) <= _LONGEST:
        return name
    ascii_only = re.sub(r"[^A-Za-z0-9_]", "-", name)
    digits = hashlib.sha256(task.encode()).hexdigest()[:_DIGITS]
    return f"{ascii_only[: _LONGEST - _DIGITS - 1]}-{digits}"
