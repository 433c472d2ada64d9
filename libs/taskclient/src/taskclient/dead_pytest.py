"""Writes a pytest file that fails as a dead letter did, and passes once the cause is mended."""

import base64
import json
import re
from collections.abc import Collection
from typing import Any, Final

from taskclient.dead_message import DecodedMessage
from taskclient.letters import DELIVERY_LIMIT, TIME_LIMIT, UNREADABLE, UNROUTABLE, WAITED_TOO_LONG, Letter
from taskclient.names import queue_of
from taskclient.redaction import LONGEST, Redaction, mask_raw

_ERROR_TYPE = re.compile(r"[A-Za-z_][\w.]*")
_WARNINGS: Final = {
    TIME_LIMIT: "The task ran into its hard time limit; here nothing ends it, so stop the test by hand.",
    DELIVERY_LIMIT: "The task ended each process that ran it, and may end that of pytest as well.",
}

_TASK_TEST: Final = '''"""{intro}"""

import importlib

from kombu.utils.json import loads

TASK = "{task}"
PAYLOAD = r"""
{payload}
"""


def test_{function}() -> None:
    """Run the task as a worker does: its contract is checked, then its function runs."""
    celery_app = importlib.import_module("app.celery_app").app
    importlib.import_module("app.tasks.{module}")
    args, kwargs = loads(PAYLOAD)
    celery_app.tasks[TASK](*args, **kwargs)  # must not raise
'''

_GUARD_TEST: Final = '''"""{intro}"""

import base64

from workerkit.transport.guard import read

RAW = base64.b64decode(
    """
{raw}
"""
)


def test_{function}() -> None:
    """Read the message as a worker does, before Celery sees it."""
    read(RAW)  # must not raise
'''


def write_test(
    letter: Letter, raw: bytes, message: DecodedMessage, *, payload: bool = False, keep: Collection[str] = ()
) -> str:
    """The text of a pytest file for one dead letter.

    Args:
        letter: the letter.
        raw: its message.
        message: the same, taken apart.
        payload: write the real values; else texts are replaced by placeholders of the same shape.
        keep: texts that need no placeholder, such as the values of an enumeration in the task's contract.

    Returns:
        Python, for the folder of the letter's service.

    Raises:
        InvalidTaskName: the task's name does not say in which module it is.
        ValueError: neither the message nor the task is at fault.
    """
    if letter.reason in {UNROUTABLE, WAITED_TOO_LONG}:
        raise ValueError(f"The letter {letter.id} has the reason {letter.reason!r}: its task did not run. Replay it.")
    if letter.reason == UNREADABLE or message.problem:
        return _guard_test(letter, raw, payload=payload)
    return _task_test(letter, message, payload=payload, keep=keep)


def contract_words(schema: Any) -> set[str]:
    """All texts that a JSON Schema lists itself, as values of enumerations, constants and defaults."""
    if isinstance(schema, list):
        return {word for part in schema for word in contract_words(part)}
    if not isinstance(schema, dict):
        return set()
    listed = [*schema.get("enum", []), schema.get("const"), schema.get("default")]
    own = {word for word in listed if isinstance(word, str)}
    return own | {word for part in schema.values() for word in contract_words(part)}


def _task_test(letter: Letter, message: DecodedMessage, *, payload: bool, keep: Collection[str]) -> str:
    name = str(message.headers.get("task") or letter.task)
    redact = Redaction(keep)
    values: Any = [message.args, message.kwargs]
    if not payload:
        values = [redact(message.args, "args"), redact(message.kwargs, "kwargs")]
    notes = [_WARNINGS[letter.reason]] if letter.reason in _WARNINGS else []
    return _TASK_TEST.format(
        intro=_intro(letter, [*notes, _redacted_note(redact.changed, payload=payload)], payload=payload),
        task=name,
        module=queue_of(name),
        payload=json.dumps(values, indent=2),
        function=_function(letter),
    )


def _guard_test(letter: Letter, raw: bytes, *, payload: bool) -> str:
    note = (
        "The message is kept byte for byte." if payload else "Texts in the message are masked, names of fields are not."
    )
    encoded = base64.b64encode(raw if payload else mask_raw(raw)).decode()
    lines = (encoded[start : start + 100] for start in range(0, len(encoded), 100))
    return _GUARD_TEST.format(
        intro=_intro(letter, [note], payload=payload), raw="\n".join(lines), function=_function(letter)
    )


def _intro(letter: Letter, notes: list[str], *, payload: bool) -> str:
    """The docstring; an error's words may hold values of the payload, so only its type stands there unless asked."""
    kind = _ERROR_TYPE.match(letter.error)
    error = letter.error if payload else (kind[0] if kind and letter.reason != UNREADABLE else "")
    folder = f"services/worker-celery-{letter.service}"
    lines = [
        f"Fails as the dead letter {letter.id} did, and passes once the cause is mended.",
        "",
        f"Task {letter.task}, reason: {letter.reason}{', ' if error else ''}{error}, attempts: {letter.attempts}.",
        f"Put this file into {folder}/tests and run it in {folder} with `python -m pytest`.",
        *notes,
        "",
    ]
    return "\n".join(map(_plain, lines))


def _redacted_note(changed: list[str], *, payload: bool) -> str:
    if payload:
        return "The payload is the real one: mind personal data before you commit it."
    if not changed:
        return "The payload holds no text that had to be redacted."
    shown = ", ".join(changed[:20]) + (f" and {len(changed) - 20} more" if len(changed) > 20 else "")  # noqa: PLR2004
    return (
        f"Redacted, each by a text of the same shape and of at most {LONGEST:,} characters: {shown}. If the failure "
        "needs\nthe real text, write a fitting one by hand, or generate the file anew with --payload."
    )


def _function(letter: Letter) -> str:
    return "dead_letter_" + re.sub(r"\W", "_", letter.id, flags=re.ASCII)[:12]


def _plain(line: str) -> str:
    """Without what could end a docstring or begin an escape: most words in it come from a message."""
    return line.encode("ascii", "replace").decode().replace("\\", "/").replace('"', "'")
