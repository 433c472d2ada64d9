"""Turns a chain, group or chord into the messages that start it, as stock Celery's canvas would (task protocol 2)."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from taskclient.canvas import Canvas, Placed, PlacedStage
from taskclient.contracts import Known
from taskclient.errors import PayloadTooLarge
from taskclient.message import Template
from taskclient.payload import MAX_BYTES, decode_payload, encode_payload

Signature = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What is to be pushed, and before it written into the database of the results.

    Args:
        messages: by queue, and in it by the task's id.
        chords: how many results each chord waits for, by the id of its group.
    """

    messages: dict[str, dict[str, bytes]] = field(default_factory=dict)
    chords: dict[str, int] = field(default_factory=dict)

    @property
    def ids(self) -> list[str]:
        """Of all tasks that are pushed now."""
        return [task_id for one in self.messages.values() for task_id in one]

    def pieces(self, at_once: int) -> Iterator[tuple[str, list[str], list[bytes]]]:
        """Queue, ids and messages of each round trip."""
        for queue, messages in self.messages.items():
            listed = list(messages)
            for start in range(0, len(listed), at_once):
                ids = listed[start : start + at_once]
                yield queue, ids, [messages[task_id] for task_id in ids]


def outgoing(canvas: Canvas, known: Mapping[str, Known], correlation_id: str | None) -> Outgoing:
    """The messages of the first steps; the others are in them.

    Args:
        canvas: checked.
        known: what is known of the steps' tasks, by name.
        correlation_id: what ties all its tasks to a request in the logs; the run's id if None.

    Raises:
        PayloadTooLarge: a message with all that follows is over 256 KiB.
    """
    return _Builder(canvas, known, correlation_id or canvas.run_id).build()


@dataclass(frozen=True, slots=True)
class _Builder:
    canvas: Canvas
    known: Mapping[str, Known]
    correlation_id: str
    made: Outgoing = field(default_factory=Outgoing)

    def build(self) -> Outgoing:
        stages, groups = self.canvas.stages, self.canvas.groups
        if not groups[0]:
            self._add(stages[0][0][0], chain=self._signatures(1))
        elif len(stages) == 1:
            self._add_group(stages[0], None)
        else:
            body = self._signature(stages[1][0][0])
            rest = self._signatures(2)
            if rest:
                body["options"]["chain"] = rest[::-1]
            self._add_group(stages[0], body)
        return self.made

    def _add_group(self, stage: PlacedStage, chord: Signature | None) -> None:
        group_id = self._group_id(0)
        if chord is not None:
            chord["options"]["group_id"] = group_id
            self.made.chords[group_id] = len(stage)
        for index, branch in enumerate(stage):
            rest = [self._signature(one) for one in branch[1:]]
            if not rest:
                self._add(branch[0], group=(group_id, index), chord=chord)
                continue
            rest[-1]["options"] |= {"group_id": group_id, "group_index": index}
            if chord is not None:
                rest[-1]["options"]["chord"] = chord
            self._add(branch[0], chain=rest)

    def _add(
        self,
        one: Placed,
        *,
        chain: Sequence[Signature] = (),
        group: tuple[str, int] | None = None,
        chord: Signature | None = None,
    ) -> None:
        task = self.known[one.step.task]
        embed = {"callbacks": None, "errbacks": None, "chain": list(chain)[::-1] or None, "chord": chord}
        encoded = json.dumps(embed, ensure_ascii=False, separators=(",", ":")).encode()
        if len(encoded) > MAX_BYTES:
            raise PayloadTooLarge(
                f"What follows {one.key} has {len(encoded)} bytes, a message may have {MAX_BYTES}. "
                "Store the data (a file, an object store, the database) and send references to it."
            )
        template = Template(one.step.task, task.queue, contract=task.check, group=group)
        message = template.message(one.step.payload, task_id=one.id, correlation_id=self.correlation_id, embed=encoded)
        self.made.messages.setdefault(task.queue, {})[one.id] = message

    def _signatures(self, start: int) -> list[Signature]:
        """What comes from a stage on, in its order: a group with a step after it is a chord."""
        found: list[Signature] = []
        joined = False
        for number in range(start, len(self.canvas.stages)):
            stage = self.canvas.stages[number]
            if joined:
                joined = False
            elif not self.canvas.groups[number]:
                found.append(self._signature(stage[0][0]))
            else:
                joined = number + 1 < len(self.canvas.stages)
                found.append(self._chord(number) if joined else self._group(number))
        return found

    def _chord(self, number: int) -> Signature:
        body = self._signature(self.canvas.stages[number + 1][0][0])
        arguments = {"kwargs": {}, "header": self._group(number), "body": body}
        return _complex("chord", arguments, self._group_id(number))

    def _group(self, number: int) -> Signature:
        members = []
        for index, branch in enumerate(self.canvas.stages[number]):
            steps = [self._signature(one) for one in branch]
            steps[-1]["options"]["group_index"] = index
            members.append(steps[0] if len(steps) == 1 else _complex("chain", {"tasks": steps}, branch[-1].id))
        return _complex("group", {"tasks": members}, self._group_id(number))

    def _signature(self, one: Placed) -> Signature:
        payload = decode_payload(encode_payload(one.step.task, one.step.payload))
        options = {"queue": self.known[one.step.task].queue, "task_id": one.id}
        return _signature(one.step.task, payload, options, immutable=not one.receives)

    def _group_id(self, number: int) -> str:
        return str(uuid5(NAMESPACE_URL, f"{self.canvas.run_id}/group {number + 1}"))


def _complex(kind: str, arguments: dict[str, Any], task_id: str) -> Signature:
    return {**_signature(f"celery.{kind}", arguments, {"task_id": task_id}, immutable=False), "subtask_type": kind}


def _signature(task: str, arguments: Any, options: dict[str, Any], *, immutable: bool) -> Signature:
    return {
        "task": task,
        "args": [],
        "kwargs": arguments,
        "options": options,
        "subtask_type": None,
        "immutable": immutable,
    }
