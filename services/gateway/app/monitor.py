"""What all dashboards show: read once a second for all of them together, whatever their number."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import structlog
from fastapi.sse import format_sse_event
from starlette.concurrency import run_in_threadpool

from app.history import STEP_SECONDS, History
from app.problems import TooManyViewers
from taskclient.errors import BrokerUnavailable

WATCHED_SECONDS: Final = 1.0  # between two readings while somebody watches; else one for each point of the history
_BEGUN: Final = {"at": 0.0, "problem": "Nothing has been read yet."}
log = structlog.get_logger("gateway")


class Monitor:
    """The latest snapshot of everything, its history, and who waits for the next one.

    Args:
        read: reads a snapshot, in a thread; it has `queues` and `dead`.
        most: viewers at a time.
    """

    def __init__(self, read: Callable[[], dict[str, Any]], most: int) -> None:
        self._read, self._most = read, most
        self._viewers = 0
        self._snapshot: dict[str, Any] = dict(_BEGUN)
        self._text = b""
        self._history = History()
        self._changed, self._wanted = asyncio.Event(), asyncio.Event()

    @property
    def snapshot(self) -> dict[str, Any]:
        """The latest one, at most five seconds old; with a `problem` while Redis is away, and then older."""
        return self._snapshot

    @property
    def viewers(self) -> int:
        """How many watch."""
        return self._viewers

    def check(self) -> None:
        """See that one more may watch.

        Raises:
            TooManyViewers: no.
        """
        if self._viewers >= self._most:
            raise TooManyViewers(f"{self._most} dashboards are open, and no more may be: close one.")

    async def events(self) -> AsyncIterator[bytes]:
        """Server-sent events: `history` first, then each `snapshot`; who is slow gets the latest only."""
        self._viewers += 1
        self._wanted.set()
        try:
            yield _event("history", self._history.columns())
            while True:
                changed = self._changed
                if self._text:
                    yield self._text
                await changed.wait()
        finally:
            self._viewers -= 1

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            await self._renew()
            self._wanted.clear()
            if self._viewers:
                await asyncio.sleep(WATCHED_SECONDS)
            else:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wanted.wait(), STEP_SECONDS)

    async def _renew(self) -> None:
        try:
            read = await run_in_threadpool(self._read)
        except BrokerUnavailable as error:
            self._put({**self._snapshot, "problem": str(error), "point": False})
            return
        except Exception:  # one bad reading must not end all that follow
            log.exception("the state of the queues cannot be read")
            self._put({**self._snapshot, "problem": "The gateway failed; its log says at what.", "point": False})
            return
        at = time.time()
        point = self._history.due(at)
        if point:
            self._history.add(at, sum(service["letters"] for service in read["dead"]), read["queues"])
        self._put({"at": round(at, 1), "problem": None, "point": point, **read})

    def _put(self, snapshot: dict[str, Any]) -> None:
        self._snapshot, self._text = snapshot, _event("snapshot", snapshot)
        self._changed.set()
        self._changed = asyncio.Event()


def _event(name: str, content: Any) -> bytes:
    return format_sse_event(data_str=json.dumps(content, separators=(",", ":"), default=str), event=name)
