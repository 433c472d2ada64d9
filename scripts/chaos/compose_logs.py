"""Reads what workers in containers did from their logs."""

import json
from collections import Counter
from datetime import UTC, datetime
from typing import NamedTuple

from chaos.ledger import Events
from devstack.compose import docker

_KINDS = {"task started": "start", "task succeeded": "end", "the result of the first call is returned": "repeat"}


class Line(NamedTuple):
    """One line of a worker's log that says what a task did.

    Args:
        kind: "start", "end", or "repeat": the body did not run, the first run's result is returned.
        task_id: whose.
        when: seconds since 1970.
    """

    kind: str
    task_id: str
    when: float


def parse_line(text: str) -> Line | None:
    """A line of `docker logs --timestamps`; None if it says nothing about a task."""
    stamp, _, said = text.partition(" ")
    try:
        entry = json.loads(said)
        kind, task_id = _KINDS.get(entry["event"]), entry.get("task_id")
    except (ValueError, KeyError, TypeError):
        return None
    return Line(kind, task_id, seconds_of(stamp)) if kind and task_id else None


def seconds_of(stamp: str) -> float:
    """Docker's time stamp, which has nanoseconds, in seconds since 1970."""
    return datetime.fromisoformat(stamp[:26].rstrip("Z")).replace(tzinfo=UTC).timestamp()


class Logs:
    """The logs of some containers, read again and again, also those of containers that are gone meanwhile.

    Args:
        events: gets what they say.
    """

    def __init__(self, events: Events) -> None:
        self._events = events
        self._read: dict[str, set[str]] = {}  # the lines that are taken in, by container
        self._last: dict[str, str] = {}  # stamp of the last one
        self._repeats: Counter[str] = Counter()
        self.finished: Counter[str] = Counter()  # how often each task succeeded, with or without running
        self.started: dict[str, dict[str, float]] = {}  # container -> task -> when it began last

    def read(self, containers: list[str]) -> None:
        """Take in what these containers have said since the last time."""
        for container in containers:
            since = ("--since", self._last[container]) if container in self._last else ()
            said = _said(container, *since)
            known = self._read.setdefault(container, set())
            for text in said:
                if text not in known:
                    known.add(text)
                    self.take(container, text)
            if said:
                self._last[container] = said[-1].partition(" ")[0]

    def take(self, container: str, text: str) -> None:
        """Take in one line of a container."""
        line = parse_line(text)
        if line is None:
            return
        self.finished[line.task_id] += line.kind == "end"
        if line.kind == "repeat":
            self._repeats[line.task_id] += 1
        elif line.kind == "end" and self._repeats[line.task_id]:
            self._repeats[line.task_id] -= 1  # it succeeded without running
        else:
            self._events.add(line.kind, line.task_id, line.when)
        if line.kind == "start":
            self.started.setdefault(container, {})[line.task_id] = line.when


def _said(container: str, *since: str) -> list[str]:
    """Both of its outputs in the order of their stamps."""
    printed = docker("logs", "--timestamps", *since, container, check=False, both=True)
    return sorted(line for line in printed.splitlines() if line[:2] == "20")
