"""Fetches single records from an API, each in its turn."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from pydantic import JsonValue, TypeAdapter, ValidationError

from app.errors import NotYet
from app.messages import record_url, shown
from app.processors.body import Http, limited
from app.processors.file_processor import named
from workerkit.errors import PermanentError

MAX_RECORD_BYTES = 48 * 1024  # so that it fits into a result
_DEADLINE_SECONDS = 60.0
_PATIENCE_SECONDS = 1.0  # waiting longer would keep a process from other work
_MAX_PAUSE_SECONDS = 1800.0  # who comes back too early finds the same turn
_RECORD: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, JsonValue])


class Turns(Protocol):
    """A rate limit over all workers."""

    def wait_seconds(self, api: str, caller: str) -> float:
        """Seconds until the caller's turn; raises TransientError."""


class RecordProcessor:
    """Fetches records from the APIs that the settings name.

    Args:
        http: asks them.
        turns: says when.
        apis: URLs by name, with {record} in them.
        sleep: waits, in seconds.
    """

    def __init__(
        self, http: Http, turns: Turns, *, apis: Mapping[str, str], sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._http, self._turns, self._apis, self._sleep = http, turns, apis, sleep

    def fetch(self, api: str, record: str, caller: str) -> dict[str, Any]:
        """Fetch one record.

        Args:
            api: its name.
            record: the record's id; it cannot change the path.
            caller: the task's id, which keeps its turn when it runs again.

        Raises:
            NotYet: the turn is more than a second away.
            PermanentError: no such API or record, or no JSON object of at most 48 KiB.
            TransientError: the API is away.
        """
        template = named(api, self._apis, "APIS")
        wait = self._turns.wait_seconds(api, caller)
        if wait > _PATIENCE_SECONDS:
            raise NotYet(
                f"the rate limit of {api!r} is reached: this call's turn is in {wait:.1f} s",
                min(wait, _MAX_PAUSE_SECONDS),
            )
        self._sleep(wait)
        return self._ask(record_url(template, record))

    def _ask(self, url: str) -> dict[str, Any]:
        with self._http.get(url, {}, _DEADLINE_SECONDS) as answer:
            body = b"".join(limited(answer, MAX_RECORD_BYTES, "fetch it as a file, from a source"))
        try:
            return _RECORD.validate_json(body)
        except ValidationError:
            raise PermanentError(f"{shown(url)} answered no JSON object") from None
