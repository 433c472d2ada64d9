"""Where every message is: dead letter, parked, delayed, in flight, queued, run, revoked, or missing."""

import base64
import io
import json
from collections import Counter
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from devstack.malformed.message import MARK, QUEUE
from taskclient.connection import RedisClient
from taskclient.letters import dead_key

SERVICE = "target"
PRIORITIES = ("", "\x06\x163", "\x06\x166", "\x06\x169")  # what kombu adds to the queue's name
MISSING = "missing"


@dataclass(frozen=True)
class Places:
    """What was found at one moment.

    Args:
        dead: raw messages of the dead letters.
        dead_ids: the letters' ids.
        parked, delayed, in_flight, queued: raw messages.
        runs: how often each (task id, mark, retries) has started.
        revoked: ids and marks of revoked tasks.
    """

    dead: Counter[bytes]
    dead_ids: set[str]
    parked: Counter[bytes]
    delayed: Counter[bytes]
    in_flight: Counter[bytes]
    queued: Counter[bytes]
    runs: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    revoked: set[str] = field(default_factory=set)

    @cached_property
    def started(self) -> set[str]:
        """Ids and marks of all tasks that have started."""
        return {name for run in self.runs for name in run[:2]}

    def of(self, raw: bytes) -> str:
        """Say where a message is; `missing` if nowhere."""
        for place in ("dead", "parked", "delayed", "in_flight", "queued"):
            if getattr(self, place)[raw]:
                return place
        names = names_of(raw)
        if names & self.started:
            return "run"
        if names & self.revoked:
            return "revoked"
        # A retried message that failed for good: the letter holds its last form.
        return "dead in another form" if names & self.dead_ids else MISSING

    def settled(self) -> bool:
        """Say whether no message waits or is being worked on."""
        return not self.in_flight and not self.queued


class Ledger:
    """Reads where the messages of the worker `devstack.malformed.target` are.

    Args:
        broker: a client of its broker.
        record: the file its environment names as TARGET_RECORD.
    """

    def __init__(self, broker: RedisClient, record: Path) -> None:
        self._broker = broker
        self._record = record
        self._read_bytes = 0
        self._runs: Counter[tuple[str, str, str]] = Counter()
        self._revoked: set[str] = set()

    def places(self) -> Places:
        """Look at all places."""
        broker, prefix = self._broker, f"worker:{SERVICE}"
        # In the order of a message's way, so that one that moves meanwhile is seen twice rather than never.
        queued = Counter(raw for key in self._queues() for raw in broker.lrange(key, 0, -1))
        in_flight = Counter(_raw(value, 1) for key in self._keys("inflight:*") for value in broker.hvals(key))
        delayed = Counter(_raw(value, 2) for value in broker.zrange(f"{prefix}:delayed", 0, -1))
        parked = Counter(_raw(value, 1) for key in self._keys("parked:*") for value in broker.lrange(key, 0, -1))
        letters = broker.hgetall(f"{dead_key(SERVICE)}:raw")
        self._read()
        return Places(
            dead=Counter(letters.values()),
            dead_ids={key.decode(errors="replace") for key in letters},
            parked=parked,
            delayed=delayed,
            in_flight=in_flight,
            queued=queued,
            runs=self._runs.copy(),
            revoked=self._revoked - {"None", ""},
        )

    def settled(self) -> bool:
        """Say whether no message waits or is being worked on, without reading them."""
        if self._queues():
            return False
        return not any(self._broker.hlen(key) for key in self._keys("inflight:*"))

    def started(self) -> set[str]:
        """Ids and marks of all tasks that have started."""
        self._read()
        return {name for run in self._runs for name in run[:2]}

    def holders(self) -> set[bytes]:
        """The worker processes that hold messages."""
        return set(self._broker.zrange(f"worker:{SERVICE}:holders", 0, -1))

    def reasons(self) -> Counter[str]:
        """How many dead letters there are for each reason."""
        letters = self._broker.hvals(f"{dead_key(SERVICE)}:letters")
        return Counter(str(json.loads(letter)["reason"]) for letter in letters)

    def forget_letters(self) -> None:
        """Delete the dead letters, so that their limits do not delete any that nobody has looked for."""
        key = dead_key(SERVICE)
        self._broker.delete(key, f"{key}:letters", f"{key}:raw", f"{key}:bytes")

    def _queues(self) -> list[str]:
        broker: Any = self._broker  # the stubs have no type for this command
        return [key for key in queues() if broker.type(key) == b"list"]

    def _keys(self, pattern: str) -> list[bytes]:
        return list(self._broker.scan_iter(f"worker:{SERVICE}:{pattern}", count=1_000))

    def _read(self) -> None:
        """Read what is new in the record."""
        size = self._record.stat().st_size if self._record.exists() else 0
        if size < self._read_bytes:
            raise RuntimeError(f"{self._record} has become shorter: make a new Ledger for a new worker")
        with self._record.open("rb") if size else nullcontext(io.BytesIO()) as file:
            file.seek(self._read_bytes)
            new = file.read(size - self._read_bytes)
        whole = new[: new.rfind(b"\n") + 1]
        self._read_bytes += len(whole)
        for line in whole.splitlines():
            self._add(json.loads(line))

    def _add(self, found: dict[str, str]) -> None:
        if found["what"] == "run":
            self._runs[found["id"], found["mark"], found["retries"]] += 1
        else:
            self._revoked |= {found["id"], found["mark"]}


def queues() -> list[str]:
    """The worker's queue and its priority lists."""
    return [QUEUE + priority for priority in PRIORITIES]


def names_of(raw: bytes) -> set[str]:
    """The task id and the mark of a message, of either protocol, as far as they can be read."""
    message = _parsed(raw)
    headers = message.get("headers")
    body = message.get("body")
    found: list[Any] = [headers.get("id"), headers.get(MARK)] if isinstance(headers, dict) else []
    if isinstance(body, str):
        decoded = _parsed(_from_base64(body))
        found += [decoded.get("id"), decoded.get(MARK)]
    return {str(name) for name in found if isinstance(name, str | int | float)} - {"None", ""}


def _parsed(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except ValueError:
        return text.encode(errors="replace")


def _raw(value: bytes, lines: int) -> bytes:
    """The raw message after so many lines of the transport's own."""
    return value.split(b"\n", lines)[-1]


def twice(places: Places, ids: Iterable[str]) -> set[str]:
    """Those of `ids` that have started more than once in the same attempt."""
    wanted = set(ids)
    return {run[0] for run, count in places.runs.items() if count > 1 and run[0] in wanted}
