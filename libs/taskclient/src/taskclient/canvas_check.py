"""Checks a chain, group or chord before anything is sent: names, payloads, and whether results fit what takes them."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from taskclient.canvas import Canvas, Placed
from taskclient.catalog import CatalogEntry
from taskclient.compatibility import Break, breaks
from taskclient.contracts import Known
from taskclient.errors import (
    FieldError,
    InvalidTaskName,
    PayloadNotSerializable,
    PayloadTooLarge,
    StepError,
    UnknownTask,
    WorkflowRefused,
)
from taskclient.json_schema import Document, Undecidable
from taskclient.payload import decode_payload, encode_payload
from taskclient.result_schema import closed, list_of

Find = Callable[[str], Known]


def check_canvas(canvas: Canvas, find: Find, *, joints: bool = True) -> dict[str, Known]:
    """Look each task up, and check all payloads and joints.

    Args:
        canvas: what is to be sent.
        find: what is known of a task by its name; raises `UnknownTask` or `InvalidTaskName`.
        joints: whether each result must fit the parameter that takes it.

    Returns:
        What is known of the steps' tasks, by the tasks' names.

    Raises:
        WorkflowRefused: with everything that is wrong, at every step.
    """
    known: dict[str, Known] = {}
    errors: list[StepError] = []
    for one in canvas.placed:
        try:
            known[one.step.task] = known.get(one.step.task) or find(one.step.task)
        except (UnknownTask, InvalidTaskName) as error:
            errors.append(_wrong(one, {"field": "", "problem": str(error).removeprefix("Nothing was sent: ")}))
    checked = _Joints(known) if joints else None
    for one in canvas.placed:
        if one.step.task in known:
            errors.extend(_of_step(one, known[one.step.task], checked))
    if errors:
        raise WorkflowRefused(errors)
    return known


def _of_step(one: Placed, task: Known, joints: "_Joints | None") -> Iterator[StepError]:
    yield from (_wrong(one, error) for error in _of_payload(one, task))
    if one.receives and task.entry is not None:
        first = first_parameter(task.entry)
        if first is None:
            problem = "has no parameter that could take the result; immutable(...) makes a step that takes none"
            yield _wrong(one, {"field": "", "problem": problem}, after=_before(one))
        elif first in one.step.payload:
            problem = "takes the result, so it must not be in the payload; immutable(...) makes a step that takes none"
            yield _wrong(one, {"field": first, "problem": problem}, after=_before(one))
        elif joints is not None:
            yield from (_wrong(one, error, after=_before(one)) for error in joints.of(one, first, task.entry))


def first_parameter(entry: CatalogEntry) -> str | None:
    """The parameter that takes a result: the schema names them in the order of the task's signature."""
    return next(iter(entry.parameters.get("properties", {})), None)


def _of_payload(one: Placed, task: Known) -> Iterable[FieldError]:
    try:
        payload = decode_payload(encode_payload(one.step.task, one.step.payload))
    except (PayloadNotSerializable, PayloadTooLarge) as error:
        return error.errors
    if task.check is None or task.entry is None:
        return []
    first = first_parameter(task.entry) if one.receives else None
    problems = task.check.problems(payload)
    return [wrong for wrong in problems if wrong != {"field": first, "problem": "is missing"}]


class _Joints:
    """Whether results fit what takes them; the same tasks, as in a thousand branches, are compared once.

    Args:
        known: what is known of the steps' tasks, by name.
    """

    def __init__(self, known: Mapping[str, Known]) -> None:
        self._known = known
        self._found: dict[tuple[tuple[str, ...], bool, str], list[FieldError]] = {}

    def of(self, one: Placed, first: str, entry: CatalogEntry) -> list[FieldError]:
        """Why not every result of what comes before a step is accepted by its first parameter."""
        before = tuple(other.step.task for other in one.before)
        key = before, one.joins, entry.name
        if key not in self._found:
            self._found[key] = list(self._compare(before, first, entry, joins=one.joins))
        return self._found[key]

    def _compare(
        self, before: tuple[str, ...], first: str, entry: CatalogEntry, *, joins: bool
    ) -> Iterator[FieldError]:
        tasks = [self._known.get(name) for name in before]
        results = [task.entry.result for task in tasks if task is not None and task.entry is not None]
        if len(results) < len(tasks):
            return
        given = closed(list_of(results) if joins else results[0])
        try:
            taken = Document(entry.parameters).alone(entry.parameters["properties"][first])
        except Undecidable as error:
            yield {"field": first, "problem": str(error)}
            return
        reasons = {found.field: found for found in reversed(breaks(given, taken))}  # for each field the first one
        for field, found in reversed(reasons.items()):
            dot = "." if field and not field.startswith("[") else ""
            yield {"field": f"{first}{dot}{field}", "problem": _reason(found)}


def _reason(found: Break) -> str:
    """In words for two tasks, not for two versions of one."""
    if not found.decided:
        return "not every result can be shown to be accepted: " + found.reason.replace("it is new, and ", "")
    return found.reason.removesuffix(" any more")


def _before(one: Placed) -> str:
    names = list(dict.fromkeys(other.key for other in one.before))
    return names[0] if len(names) == 1 else f"the group {names[0]} to {names[-1]}"


def _wrong(one: Placed, error: FieldError, after: str | None = None) -> StepError:
    return {"step": one.key, "after": after, "field": error["field"], "problem": error["problem"]}
