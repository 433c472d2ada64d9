"""Groups dead letters by what they died of, so that a thousand of them are read as a handful of causes."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from taskclient.catalog import CatalogEntry
from taskclient.contracts import near
from taskclient.letters import (
    DELIVERY_LIMIT,
    FAILED,
    REFUSED,
    TIME_LIMIT,
    UNKNOWN_TASK,
    UNREADABLE,
    UNROUTABLE,
    WAITED_TOO_LONG,
    Letter,
)

EXAMPLES: Final = 3  # of each group
_LONGEST: Final = 300  # characters of an error that count; what differs comes early
_VALUE: Final = re.compile(
    r"(?<!\w)'(?:[^'\\]|\\.)*'(?!\w)" r'|"(?:[^"\\]|\\.)*"' r"|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
    r"|[^\s@<>,;:]+@[^\s@<>,;:]+|0x[0-9a-fA-F]+|\d+(?:\.\d+)*"
)  # fmt: skip

STEPS: Final = {  # what to do about each reason
    UNREADABLE: "Its producer does not write messages of Celery's protocol: mend the producer, then discard these; a "
    "replay would end the same way.",
    UNROUTABLE: "No worker takes messages from this queue any more: start one that does, then replay; or replay to the "
    "queue that the task has now.",
    REFUSED: "The payload does not fit the task: mend the caller. Replay only after the task accepts such payloads; "
    "else discard.",
    UNKNOWN_TASK: "No worker knows the task's name: deploy the service that has it, then replay; or mend the name in "
    "the caller, then discard.",
    FAILED: "Read the traceback, mend the cause and deploy, then replay; `tasks dead test ID` writes a test that fails "
    "as this one did.",
    TIME_LIMIT: "It ran longer than it may: make it faster, split its work, or raise its time limit; then replay.",
    DELIVERY_LIMIT: "Whatever process ran it died, most often for lack of memory: look at the worker's log and memory, "
    "then replay one alone and watch it before the others.",
    WAITED_TOO_LONG: "It waited longer than its task allows: add workers, or raise max_queue_wait; replay what is "
    "still worth running, discard the rest.",
}
_OTHER_STEP: Final = "Look at an example and at the worker's log of that time; then replay or discard."


@dataclass(frozen=True, slots=True)
class LetterGroup:
    """Dead letters that died of the same.

    Args:
        reason: why, one of the words in `taskclient.letters`.
        task: the task's name, if the messages say one.
        error: their error, with … for what differs: numbers, ids, addresses, whatever stands in quotes.
        count: how many.
        services: whose workers buried them.
        versions: of these services when they did.
        first: when the first of them died first, seconds since 1970.
        last: when one of them died last.
        attempts: how often the one died that died most often; it is above 1 for one that was replayed.
        examples: the newest of them.
        next_step: what to do about them.
    """

    reason: str
    task: str | None
    error: str
    count: int
    services: tuple[str, ...]
    versions: tuple[str, ...]
    first: float
    last: float
    attempts: int
    examples: tuple[Letter, ...]
    next_step: str


def group_letters(letters: Iterable[Letter], entries: Mapping[str, CatalogEntry]) -> list[LetterGroup]:
    """The groups of some letters, the largest first.

    Args:
        letters: these.
        entries: the catalog's entries by the names of their tasks, for the next steps.
    """
    found: dict[tuple[str, str | None, str], list[Letter]] = {}
    for letter in letters:
        found.setdefault((letter.reason, letter.task, error_pattern(letter.error)), []).append(letter)
    groups = [_group(pattern, members, entries) for (_, _, pattern), members in found.items()]
    return sorted(groups, key=lambda group: (-group.count, -group.last))


def error_pattern(error: str) -> str:
    """An error's line with … instead of what is another one each time."""
    return _VALUE.sub("…", error[:_LONGEST])


def _group(pattern: str, members: list[Letter], entries: Mapping[str, CatalogEntry]) -> LetterGroup:
    members.sort(key=lambda letter: letter.last, reverse=True)
    newest = members[0]
    versions = tuple(sorted({letter.version for letter in members if letter.version}))
    return LetterGroup(
        reason=newest.reason,
        task=newest.task,
        error=pattern,
        count=len(members),
        services=tuple(sorted({letter.service for letter in members})),
        versions=versions,
        first=min(letter.first for letter in members),
        last=newest.last,
        attempts=max(letter.attempts for letter in members),
        examples=tuple(members[:EXAMPLES]),
        next_step=_next_step(newest, versions, entries),
    )


def _next_step(letter: Letter, versions: tuple[str, ...], entries: Mapping[str, CatalogEntry]) -> str:
    step = STEPS.get(letter.reason, _OTHER_STEP)
    entry = entries.get(letter.task or "")
    if letter.reason == UNKNOWN_TASK and letter.task:
        meant = f"{step} The name is {letter.task}; {near(letter.task, entries)}"
        return f"The service {entry.service} has the task now: replay." if entry else meant
    if entry and entry.version and versions and entry.version not in versions:
        deployed = f"{entry.service} has been deployed since, as {entry.version}"
        return f"{deployed}: replay one; if it succeeds, all. Else: {step}"
    return step
