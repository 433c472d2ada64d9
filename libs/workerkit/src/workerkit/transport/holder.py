"""The books of one worker process: which messages it holds, and what was decided about them."""

import json
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from uuid import uuid4

from taskclient.letters import Letter
from workerkit.transport.describe import letter_of
from workerkit.transport.keys import prefix
from workerkit.transport.link import Link
from workerkit.transport.scripts import EXPIRE, OFFER, STEP, TICK

_MOST_ACKS = 1000  # in one step, because Lua's unpack is limited
_MOST_VERDICTS = 100
_DUE_AT_ONCE = 500
_EXPIRED_AT_ONCE = 25  # large ones take milliseconds each, in which Redis does nothing else
_CONDEMNED = "it was delivered too often: whoever ran it died each time"


@dataclass(frozen=True)
class Options:
    """What the transport is told by its settings.

    Args:
        service: whose keys, as in `email`.
        lease_seconds: how long a silent worker still counts as alive.
        delivery_limit: deliveries after which a message is a dead letter, at least 2.
        version: of the service, for dead letters.
        letter_days: how long dead letters are kept, and how long a message waits for a worker that knows its task.
        most_letters: how many are kept; beyond it the oldest go.
        most_letter_bytes: how large all of them may be together.
    """

    service: str
    lease_seconds: float = 15.0
    delivery_limit: int = 3
    version: str = ""
    letter_days: float = 30.0
    most_letters: int = 100_000
    most_letter_bytes: int = 64 * 1024 * 1024

    def letter_limits(self) -> list[int]:
        """The limits of the store of dead letters, as its scripts take them."""
        return [int(self.letter_days * 86_400), self.most_letters, self.most_letter_bytes]


@dataclass(slots=True)
class Held:
    """A claimed message: the list it came from, its bytes, how often it crashed whoever ran it."""

    list: str
    raw: bytes
    crashes: int
    burial: tuple[str, str] | None = None  # (id, letter): becomes this letter instead of being forgotten


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to happen with a held message; `kind` is one of those in `lua/step.lua`."""

    kind: str
    tag: str
    a: str = ""
    b: str = ""


@dataclass
class Books:
    """The messages of a process by their delivery tags; a tag is a running number, whatever the message itself says."""

    held: dict[str, Held] = field(default_factory=dict)
    waiting: deque[str] = field(default_factory=deque)  # claimed, not delivered yet
    delivered: set[str] = field(default_factory=set)  # given to the consumer, not settled yet


class Holder:
    """One worker process in the eyes of Redis: its lease, its messages, its steps.

    Verdicts may come from any thread and at any time, with or without a connection: they are kept until a step has
    carried them out. `step`, `tick` and the like take the connection to use, and raise its errors.

    Args:
        options: of the transport.
        worker: common to the processes of one worker that claim for themselves: they die together.
    """

    def __init__(self, options: Options, worker: str = "") -> None:
        self.options = options
        self.id = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}{worker and '@' + worker}"
        self.books = Books()
        self.renewed_at = 0.0  # monotonic; the lease was surely valid then
        self.stepped_at = 0.0  # monotonic; when verdicts were last carried out
        self.moved_at = 0.0  # monotonic; when a message was last claimed or delivered
        self.stalls = 0  # how often what waited here was given back because it did not move
        self.alone = False  # the one message held is a suspect
        self.on_settled: Callable[[], None] = lambda: None
        self.on_delayed: Callable[[float], None] = lambda _: None
        self.on_waiting: Callable[[], None] = lambda: None  # some messages were claimed ahead
        self.on_condemned: Callable[[bytes, str], None] = lambda _raw, _problem: None
        self.on_cancelled: Callable[[list[str]], None] = lambda _: None  # before their messages can be delivered
        self.room: Callable[[], int] = lambda: 0  # for how many more messages than it asks for the consumer has room
        self._lock = threading.RLock()
        self._acks: deque[str] = deque()
        self._verdicts: deque[Verdict] = deque()
        self._next = 1
        self._ahead = 0.0  # seconds by which this process's clock is ahead of Redis'
        self._about_me = {"service": options.service, "version": options.version, "worker": self.id}
        self._head: list[Any] = [
            prefix(options.service),
            self.id,
            int(options.lease_seconds * 1000),
            options.delivery_limit,
            json.dumps(self._about_me),
            *options.letter_limits(),
        ]

    def now(self) -> float:
        """Seconds since 1970 by Redis' clock, the only one that counts: those of the workers may differ."""
        return time.time() - self._ahead

    @property
    def undecided(self) -> bool:
        """Verdicts wait for a step."""
        return bool(self._acks or self._verdicts)

    def ack(self, tag: str) -> None:
        """The message is finished; unknown tags are ignored."""
        with self._lock:
            held = self._settle(tag)
            if held is None:
                return
            if held.burial:
                self._verdicts.append(Verdict("bury", tag, *held.burial))
            elif held.crashes:
                self._verdicts.append(Verdict("clear", tag))
            else:
                self._acks.append(tag)
        self.on_settled()

    def delay(self, tag: str, due: float) -> None:
        """Not before `due`, seconds since 1970."""
        self.decide("delay", tag, str(int(due * 1000)), f"{self.id}:{tag}")
        self.on_delayed(due)

    def bury(self, tag: str, reason: str, error: str) -> None:
        """It cannot be run: a dead letter at once."""
        held = self.books.held.get(tag)
        if held is not None:
            letter = self.letter(held, reason, error)
            self.decide("bury", tag, letter.id, letter.model_dump_json())
            self.on_condemned(held.raw, error)

    def bury_when_finished(self, tag: str, reason: str, error: str, **known: Any) -> None:
        """Its task has failed for good: once it is acknowledged it becomes a dead letter."""
        held = self.books.held.get(tag)
        if held is not None:
            letter = self.letter(held, reason, error, **known)
            held.burial = (letter.id, letter.model_dump_json())

    def letter(self, held: Held, reason: str, error: str, **known: Any) -> Letter:
        """What is written about a message that dies here; `known` are further fields of a `Letter`."""
        return letter_of(held.raw, reason, error, list=held.list, **self._about_me, **known)

    def decide(self, kind: str, tag: str, a: str = "", b: str = "") -> None:
        """Something else than finished; unknown tags are ignored."""
        with self._lock:
            if self._settle(tag) is None:
                return
            self._verdicts.append(Verdict(kind, tag, a, b))
        self.on_settled()

    def take(self) -> str | None:
        """The next message to deliver, from now on the consumer's; None if none waits."""
        with self._lock:
            if not self.books.waiting:
                return None
            tag = self.books.waiting.popleft()
            self.books.delivered.add(tag)
            self.moved_at = time.monotonic()
            return tag

    def _settle(self, tag: str) -> Held | None:
        self.books.delivered.discard(tag)
        return self.books.held.pop(tag, None)

    def step(self, link: Link, lists: Sequence[str], want: int, *, along: bool = False) -> "Step":
        """Carry out what was decided and claim up to `want` messages from `lists`."""
        with self._lock:
            acks = list(islice(self._acks, _MOST_ACKS))
            verdicts = list(islice(self._verdicts, _MOST_VERDICTS))
            first, self._next = self._next, self._next + want  # before sending: no number is used twice
            complete = len(acks) == len(self._acks) and len(verdicts) == len(self._verdicts)
            rest = [value for v in verdicts for value in (v.kind, v.tag, v.a, v.b)]
            began = time.monotonic()
            reply = link.run(STEP, lists, [*self._head, want, first, int(along), len(acks), *acks, *rest])
            self.renewed_at = self.stepped_at = began
            for _ in acks:
                self._acks.popleft()
            for _ in verdicts:
                self._verdicts.popleft()
            unknown, blocked, condemned, claimed, now, cancelled = reply
            if cancelled:
                self.on_cancelled([task_id.decode("utf-8", "replace") for task_id in cancelled])
            self._ahead = time.time() - now / 1000
            self._claimed(first, claimed)
        for raw in condemned:
            self.on_condemned(raw, _CONDEMNED)
        return Step(bool(unknown), bool(blocked), len(claimed) // 3, complete)

    def _claimed(self, first: int, claimed: Sequence[Any]) -> None:
        for number in range(len(claimed) // 3):
            name, raw, crashes = claimed[3 * number : 3 * number + 3]
            tag = str(first + number)
            self.books.held[tag] = Held(name.decode("utf-8", "surrogateescape"), raw, crashes)
            self.books.waiting.append(tag)
        if claimed:
            self.moved_at = time.monotonic()
            if len(self.books.waiting) > 1:
                self.on_waiting()
            self.alone = claimed[-1] >= self.options.delivery_limit - 1

    def tick(self, link: Link, *, sweep: bool) -> "Tick":
        """Renew the lease, take over from the dead if `sweep`, move what is due."""
        began = time.monotonic()
        unknown, taken, wait, condemned, parked, full = link.run(TICK, [], [*self._head, int(sweep), _DUE_AT_ONCE])
        self.renewed_at = max(self.renewed_at, began)
        for raw in condemned:
            self.on_condemned(raw, _CONDEMNED)
        names = [name.decode("utf-8", "replace") for name in parked]
        return Tick(bool(unknown), taken, None if wait < 0 else wait / 1000, names, full)

    def offer(self, link: Link, names: Iterable[str]) -> int:
        """Put parked messages of these tasks back into their queues."""
        return int(link.run(OFFER, [], [*self._head, *names]))

    def expire(self, link: Link, names: Iterable[str]) -> tuple[int, bool]:
        """Make dead letters of some messages that were parked too long; their tasks are unknown here.

        Returns:
            How many, and whether there may be more.
        """
        more, expired = link.run(EXPIRE, [], [*self._head, _EXPIRED_AT_ONCE, *names])
        for raw in expired:
            self.on_condemned(raw, f"no worker knew its task's name for {self.options.letter_days:g} days")
        return len(expired), bool(more)

    def reconcile(self, link: Link) -> None:
        """Compare the books with Redis, after a reconnect or after others may have called this process dead.

        What Redis holds for this process and it knows nothing of (the reply of a claim was lost) goes back. What
        waits here and Redis has given to others meanwhile is forgotten. What runs goes on running.
        """
        with self._lock:
            fields = {name.decode() for name in link.command("HKEYS", f"{self._head[0]}:inflight:{self.id}")}
            pending = {*self._acks, *(v.tag for v in self._verdicts)}
            lost = sorted(fields - pending - self.books.held.keys(), key=int, reverse=True)
            self._verdicts.extend(Verdict("front", tag) for tag in lost)
            for tag in [tag for tag in self.books.waiting if tag not in fields]:
                self.books.waiting.remove(tag)
                self.books.held.pop(tag, None)

    def redeliver(self, tags: Iterable[str]) -> None:
        """The consumer has forgotten these messages without running them: they wait for delivery again."""
        with self._lock:
            again = sorted(self.books.delivered.intersection(tags), key=int, reverse=True)
            self.books.delivered.difference_update(again)
            self.books.waiting.extendleft(again)

    def give_back(self, link: Link, *, everything: bool = False) -> None:
        """Put what waits here, or all that is held, back at the front of the queues; it counts as no delivery."""
        with self._lock:
            tags = list(self.books.held) if everything else list(self.books.waiting)
            self.books.waiting.clear()
            for tag in sorted(tags, key=int, reverse=True):  # the first one claimed goes last, to the very front
                self.decide("front", tag)
            while self.undecided:
                self.step(link, [], 0)

    def leave(self, link: Link) -> None:
        """Give everything back and end the lease."""
        with self._lock:
            self.give_back(link, everything=True)
            link.command("ZREM", f"{self._head[0]}:holders", self.id)


@dataclass(frozen=True, slots=True)
class Step:
    """What a step showed: whether others had called this process dead, whether a suspect waits, how many it claimed.

    And whether all verdicts were carried out that there were when it began.
    """

    unknown: bool
    blocked: bool
    claimed: int
    complete: bool


@dataclass(frozen=True, slots=True)
class Tick:
    """What a tick showed: messages taken over from the dead, seconds until a delayed one is due, parked task names.

    And how full the store of dead letters is, in percent of its limits; beyond them the oldest go.
    """

    unknown: bool
    taken: int
    next_due: float | None
    parked: list[str]
    letters_percent: int
