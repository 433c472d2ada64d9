"""The tasks there are, as the workers have published them; read at most every two seconds."""

import time
from collections.abc import Callable
from threading import Lock
from typing import Final

import structlog

from taskclient.catalog import CatalogEntry
from taskclient.contracts import unknown_task
from taskclient.errors import BrokerUnavailable

FRESH_SECONDS: Final = 2.0
log = structlog.get_logger("gateway")


class Catalog:
    """The catalog; threads may share it.

    Args:
        read: reads it.
        now: seconds of a clock that only goes forward.
    """

    def __init__(self, read: Callable[[], list[CatalogEntry]], now: Callable[[], float] = time.monotonic) -> None:
        self._read, self._now = read, now
        self._lock = Lock()
        self._entries: dict[str, CatalogEntry] = {}
        self._read_at = float("-inf")

    def entries(self) -> list[CatalogEntry]:
        """All tasks, sorted by name; while Redis is away those that were known before.

        Raises:
            BrokerUnavailable: Redis could not be reached, and has never been.
        """
        with self._lock:
            if self._now() - self._read_at >= FRESH_SECONDS:
                self._renew()
            return list(self._entries.values())

    def find(self, name: str) -> CatalogEntry:
        """One task.

        Raises:
            UnknownTask: there is none of this name; names those that are like it.
            BrokerUnavailable: as for `entries`.
        """
        known = {entry.name: entry for entry in self.entries()}
        if name not in known:
            raise unknown_task(name, known)
        return known[name]

    def _renew(self) -> None:
        try:
            self._entries = {entry.name: entry for entry in self._read()}
        except BrokerUnavailable as error:
            if not self._entries:
                raise
            log.warning("the catalog could not be read, the last one counts", error=str(error))
        self._read_at = self._now()
