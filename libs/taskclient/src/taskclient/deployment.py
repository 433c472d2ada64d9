"""Whether a new version of a service would understand all messages that wait for it in the broker."""

from base64 import b64decode
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic_core import from_json

from taskclient.catalog import CatalogEntry, read_catalog
from taskclient.connection import RedisClient
from taskclient.contract_check import ContractCheck, UnusableSchema
from taskclient.dead_message import DecodedMessage, decode_message
from taskclient.errors import FieldError
from taskclient.pending import Pending, pending_messages

UNKNOWN, REFUSED, UNREADABLE = "unknown task", "payload", "unreadable"
_MOST: Final = 1000
_CELERYS_OWN = "celery."  # every worker has these


@dataclass(frozen=True, slots=True)
class Misunderstood:
    """One message that the new version would not run.

    Args:
        id: of its task; empty if the message has none.
        task: its name.
        place: `in flight`, `parked`, `delayed` or `waiting`.
        queue: the Redis list that it is in, or came from.
        reason: `unknown task`, `payload` or `unreadable`.
        errors: the wrong fields, of a payload.
        fits_now: whether today's contract, as the catalog has it, takes the message.
    """

    id: str
    task: str
    place: str
    queue: str
    reason: str
    errors: tuple[FieldError, ...]
    fits_now: bool


@dataclass(slots=True)
class Deployment:
    """What was found.

    Args:
        checked: how many messages were looked at, by their place.
        found: those that the new version would not run, up to a limit.
        total: how many there are, by reason.
    """

    checked: Counter[str] = field(default_factory=Counter)
    found: list[Misunderstood] = field(default_factory=list)
    total: Counter[str] = field(default_factory=Counter)

    @property
    def safe(self) -> bool:
        """Whether the new version would run all of them."""
        return not self.total


def can_deploy(
    client: RedisClient, service: str, contracts: Iterable[CatalogEntry], *, most: int = _MOST
) -> Deployment:
    """Look at every message of a service, and change nothing.

    Args:
        client: of the database in which the queues are.
        service: as in `email`.
        contracts: the new version's; those of other services are left out.
        most: how many messages to name.

    Raises:
        ValueError: there is no contract of this service, or one has a schema that cannot be used.
        redis.RedisError: Redis could not be reached, or refused.
    """
    entries = [entry for entry in contracts if entry.service == service]
    if not entries:
        raise ValueError(f"There is no contract of a service {service!r}, so nothing can be compared.")
    today = [entry for entry in read_catalog(client) if entry.service == service]
    new, now = _Version(entries), _Version(today, careful=False)
    done = Deployment()
    for message in pending_messages(client, service, {entry.queue for entry in [*entries, *today]}):
        done.checked[message.place] += 1
        found = _look(message, new, now)
        if found is not None:
            done.total[found.reason] += 1
            if len(done.found) < most:
                done.found.append(found)
    return done


class _Version:
    """What one version of a service takes; each schema is compiled once."""

    def __init__(self, entries: Iterable[CatalogEntry], *, careful: bool = True) -> None:
        self._checks: dict[str, ContractCheck] = {}
        self._names: dict[str, tuple[str, ...]] = {}
        for entry in entries:
            try:
                self._checks[entry.name] = ContractCheck(entry.name, entry.parameters)
                self._names[entry.name] = tuple(entry.parameters.get("properties", {}))
            except UnusableSchema as error:
                if careful:
                    raise ValueError(f"{entry.name}: {error}") from error

    def knows(self, task: str) -> bool:
        return task in self._checks

    def takes_raw(self, raw: bytes) -> bool:
        """The fast question, which nearly every message answers by yes; by no also if it is not of the usual form."""
        try:
            message = from_json(raw)
            args, kwargs, _ = from_json(b64decode(message["body"]))
            return not args and self._checks[message["headers"]["task"]].accepts(kwargs)
        except (ValueError, KeyError, TypeError):
            return False

    def fits(self, task: str, message: DecodedMessage) -> bool:
        """Whether a message of any form fits."""
        named = self._named(task, message) if task in self._checks else None
        return named is not None and self._checks[task].accepts(named)

    def problems(self, task: str, message: DecodedMessage) -> tuple[FieldError, ...]:
        """What is wrong with a message that does not fit."""
        named = self._named(task, message)
        if named is None:
            return (FieldError(field="args", problem="positional arguments, too many or given by name as well"),)
        return tuple(self._checks[task].problems(named))

    def _named(self, task: str, message: DecodedMessage) -> Mapping[str, Any] | None:
        """All arguments by name, as a worker reads them: the order of the parameters stands in the contract."""
        names, args, kwargs = self._names[task], message.args or [], message.kwargs
        if not isinstance(args, list) or not isinstance(kwargs, dict) or len(args) > len(names):
            return None
        placed = dict(zip(names, args, strict=False))
        return None if placed.keys() & kwargs.keys() else {**placed, **kwargs}


def _look(pending: Pending, new: _Version, now: _Version) -> Misunderstood | None:
    if new.takes_raw(pending.raw):
        return None
    message = decode_message(pending.raw)
    task = _header(message, "task")
    if message.problem is not None or not isinstance(task, str):
        problem = message.problem or "It names no task."
        return _found(pending, message, UNREADABLE, (FieldError(field="message", problem=problem),), fits_now=False)
    if task.startswith(_CELERYS_OWN) or new.fits(task, message):
        return None
    fits_now = now.fits(task, message)
    if not new.knows(task):
        return _found(pending, message, UNKNOWN, (), fits_now=fits_now)
    return _found(pending, message, REFUSED, new.problems(task, message), fits_now=fits_now)


def _header(message: DecodedMessage, name: str) -> Any:
    return message.headers.get(name, message.embed.get(name))  # Celery's old protocol has it in the body


def _found(
    pending: Pending, message: DecodedMessage, reason: str, errors: tuple[FieldError, ...], *, fits_now: bool
) -> Misunderstood:
    task_id, task = (str(_header(message, name) or "") for name in ("id", "task"))
    return Misunderstood(task_id, task, pending.place, pending.list, reason, errors, fits_now)
