"""What a new version of the contracts breaks for those who call the tasks, and for messages that wait."""

from collections.abc import Iterable
from dataclasses import dataclass

from taskclient.catalog import CatalogEntry
from taskclient.compatibility import breaks


@dataclass(frozen=True, slots=True)
class BrokenTask:
    """A task whose new contract breaks something.

    Args:
        name: the task's name.
        service: the service that had it.
        reasons: what is broken, one line each.
        accepted: whether the service's new major version says that this is meant.
    """

    name: str
    service: str
    reasons: tuple[str, ...]
    accepted: bool


def broken_tasks(old: Iterable[CatalogEntry], new: Iterable[CatalogEntry]) -> list[BrokenTask]:
    """All tasks of the old version that the new one breaks, sorted by name.

    Args:
        old: the contracts as callers know them.
        new: all contracts of the new version; a task may have moved to another service.
    """
    listed = list(new)
    now = {entry.name: entry for entry in listed}
    majors = {entry.service: entry.major for entry in listed}
    found = []
    for entry in sorted(old, key=lambda one: one.name):
        reasons = _reasons(entry, now.get(entry.name))
        if reasons:
            accepted = majors.get(entry.service, entry.major + 1) > entry.major  # a service that is gone is a decision
            found.append(BrokenTask(entry.name, entry.service, tuple(reasons), accepted))
    return found


def _reasons(old: CatalogEntry, new: CatalogEntry | None) -> list[str]:
    if new is None:
        return ["the task is gone: callers and waiting messages still name it"]
    moved = [f"its queue is {new.queue} instead of {old.queue}: nobody reads what waits there"]
    arguments = [f"argument {found}" for found in breaks(old.parameters, new.parameters)]
    results = [f"result {found}, as callers know it" for found in breaks(new.result, old.result)]
    return (moved if new.queue != old.queue else []) + arguments + results
