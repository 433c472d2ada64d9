"""What a client knows of the tasks it sends: the catalog's contracts, read seldom, and compiled when first used."""

import logging
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Final

import redis

from taskclient.catalog import CatalogEntry, read_catalog
from taskclient.connection import RedisClient
from taskclient.contract_check import ContractCheck, UnusableSchema
from taskclient.contract_file import read_contracts
from taskclient.errors import UnknownTask
from taskclient.names import queue_of

FRESH_SECONDS: Final = 30.0  # a new version's contracts are known to every caller after this
_UNKNOWN_SECONDS: Final = 0.1  # a name that is unknown has the catalog read again, but not more often than this

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a task; without a contract nothing is checked.

    Args:
        queue: where it goes.
        entry: its contract.
        check: the compiled contract.
    """

    queue: str
    entry: CatalogEntry | None = None
    check: ContractCheck | None = None


class Contracts:
    """The contracts of all tasks; threads may share it.

    Args:
        read: reads them all, from a server or from files.
        now: seconds of a clock that only goes forward.
    """

    def __init__(self, read: Callable[[], list[CatalogEntry]], now: Callable[[], float] = time.monotonic) -> None:
        self._read, self._now = read, now
        self._lock = Lock()
        self._entries: dict[str, CatalogEntry] = {}
        self._checks: dict[str, tuple[CatalogEntry, ContractCheck | None]] = {}
        self._read_at: float | None = None

    def find(self, name: str) -> CatalogEntry | None:
        """The contract of a task; None if there are no contracts at all, or they could never be read.

        Raises:
            UnknownTask: there are contracts, and none of this name.
        """
        with self._lock:
            if self.wanted(name):
                self._read_now()
        return self._found(name)

    def known(self, name: str) -> Known:
        """What is known of a task; its queue follows from its name if there is no contract.

        Raises:
            InvalidTaskName: the name has not the form of one.
            UnknownTask: there are contracts, and none of this name.
        """
        return self._known(queue_of(name), self.find(name))

    def read_before(self, name: str) -> Known:
        """As `known`, from what was read before, and `put`; asks nobody."""
        return self._known(queue_of(name), self._found(name))

    def wanted(self, name: str) -> bool:
        """Whether the contracts are to be read before a task is looked up."""
        if self._read_at is None:
            return True
        age = self._now() - self._read_at
        return age >= (FRESH_SECONDS if name in self._entries else _UNKNOWN_SECONDS)

    def put(self, entries: list[CatalogEntry]) -> None:
        """Take what was read just now."""
        # What has not changed stays the same object, so that what was compiled of it stays too.
        known = self._entries
        self._entries = {one.name: known[one.name] if known.get(one.name) == one else one for one in entries}
        self._checks = {name: kept for name, kept in self._checks.items() if self._entries.get(name) is kept[0]}
        self._read_at = self._now()

    def unread(self, error: redis.RedisError) -> None:
        """Note that they could not be read just now: what is known goes on to count."""
        if not isinstance(error, redis.exceptions.NoPermissionError):
            # The broker may be up, if it is RabbitMQ; workers check for themselves.
            logger.warning("The catalog could not be read, so what is new in it is not checked: %s", error)
        elif self._read_at is None:
            logger.warning("Names and payloads are not checked: this user may not read the catalog (%s)", error)
        self._read_at = self._now()

    def check_of(self, entry: CatalogEntry) -> ContractCheck | None:
        """The compiled contract; None if its schema cannot be compiled, which is logged once."""
        with self._lock:
            known, check = self._checks.get(entry.name, (None, None))
            if known is not entry:
                check = _compile(entry)
                self._checks[entry.name] = entry, check
            return check

    def _read_now(self) -> None:
        try:
            entries = self._read()
        except redis.RedisError as error:
            self.unread(error)
        else:
            self.put(entries)

    def _found(self, name: str) -> CatalogEntry | None:
        entry = self._entries.get(name)
        if entry is None and self._entries:
            raise unknown_task(name, self._entries)
        return entry

    def _known(self, queue: str, entry: CatalogEntry | None) -> Known:
        return Known(entry.queue, entry, self.check_of(entry)) if entry else Known(queue)


def chosen_contracts(paths: Sequence[Path] | None) -> list[CatalogEntry] | None:
    """The contracts of some files, by default of those that TASK_CONTRACTS names; None if none are named.

    Raises:
        UnreadableContract: there is none at a path, or one that cannot be read.
    """
    named = os.environ.get("TASK_CONTRACTS", "")
    chosen = [Path(path) for path in named.split(os.pathsep) if path] if paths is None else list(paths)
    return read_contracts(chosen) if chosen else None


def known_contracts(broker: RedisClient, paths: Sequence[Path] | None) -> Contracts:
    """The contracts of some files, by default of those that TASK_CONTRACTS names; without any, those of the catalog.

    Raises:
        UnreadableContract: there is none at a path, or one that cannot be read.
    """
    entries = chosen_contracts(paths)
    return Contracts(partial(read_catalog, broker) if entries is None else lambda: entries)


def unknown_task(name: str, known: Iterable[str]) -> UnknownTask:
    """The error about a task that nobody has published; names those that are like it."""
    return UnknownTask(f"Nothing was sent: no service has a task {name!r}; {near(name, known)}")


def near(name: str, known: Iterable[str], all_of_them: str = "`tasks list` shows all.") -> str:
    """The end of a sentence about a name that is not known: those that are like it, or where all are."""
    found = get_close_matches(name, list(known), 3)
    return f"did you mean {' or '.join(found)}?" if found else all_of_them


def _compile(entry: CatalogEntry) -> ContractCheck | None:
    try:
        return ContractCheck(entry.name, entry.parameters)
    except UnusableSchema as error:
        logger.warning("Payloads of %s are not checked. %s", entry.name, error)
        return None
