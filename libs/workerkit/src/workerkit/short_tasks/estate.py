"""What a dead child held: the parent settles it at once, instead of waiting for the end of the lease."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog
from billiard.einfo import ExceptionInfo
from billiard.exceptions import WorkerLostError
from celery.utils.imports import symbol_by_name
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from workerkit.short_tasks.delivered import Delivered, HeldChannel
from workerkit.short_tasks.events import Events
from workerkit.short_tasks.process import Process
from workerkit.transport import registry
from workerkit.transport.holder import Held, Holder, Options
from workerkit.transport.keys import prefix
from workerkit.transport.link import Link

log = structlog.get_logger("worker")
TIME_LIMIT, REVOKED, STOP = "time limit", "revoked", "stop"


class OtherHolder(Holder):
    """The books of another process, under its name.

    Args:
        options: of the transport.
        name: of the other holder.
    """

    def __init__(self, options: Options, name: str) -> None:
        super().__init__(options)
        self.id = name
        self._about_me["worker"] = name
        self._head[1], self._head[4] = name, json.dumps(self._about_me)
        self.on_condemned = registry.hooks.on_condemned

    @property
    def hash(self) -> str:
        """Where its messages are."""
        return f"{prefix(self.options.service)}:inflight:{self.id}"

    def fill(self, link: Link) -> None:
        """Take over from Redis what it holds."""
        found = link.command("HGETALL", self.hash)
        for tag, entry in zip(found[::2], found[1::2], strict=True):
            # As if it had crashed before: whatever is acknowledged here is forgotten as a suspect too.
            self.books.held[tag.decode()] = _held(entry, crashes=1)

    def read(self, link: Link, tag: str) -> Held | None:
        """One of its messages."""
        entry = link.command("HGET", self.hash, tag)
        return None if entry is None else _held(entry, crashes=0)


@dataclass(frozen=True)
class Estate:
    """What was known of a child when it had died.

    Args:
        holder: which it was for Redis; empty if it had claimed nothing yet.
        stepped: the tag of the message whose code was at work.
        threaded: the tags of those for which threads worked.
        running: the tags of all messages that it ran.
        finished: tags of those that it had finished.
        sentence: why it was killed, and the time limit; None: it died by itself.
        exitcode: of the process.
    """

    holder: str
    stepped: str | None
    threaded: tuple[str, ...]
    running: tuple[str, ...]
    finished: tuple[str, ...]
    sentence: tuple[str, float] | None
    exitcode: int

    @classmethod
    def of(cls, process: Process, exitcode: int) -> "Estate":
        """Read it off the shared memory, which outlives the child."""
        slot = process.slot
        tags = (slot.stepped, tuple(slot.threaded), tuple(slot.running), tuple(slot.finished))
        return cls(slot.holder, *tags, process.sentence, exitcode)

    def settle(self, link: Link, options: Options, app: Any, hostname: str, events: Events) -> None:
        """Acknowledge what was finished, settle what is to blame, and put the rest back in front, not counted.

        Raises:
            redis.RedisError: Redis is away; to be called again.
        """
        if not self.holder:
            return
        holder = OtherHolder(options, self.holder)
        holder.fill(link)
        for tag in self.finished:
            holder.ack(tag)
        blamed = [tag for tag in self._blamed() if tag in holder.books.held]
        for tag in sorted(holder.books.held.keys() - blamed, key=int, reverse=True):
            holder.decide("front", tag)
        for tag in sorted(blamed, key=int, reverse=True):
            self._end(tag, holder, app, hostname, events)
        while holder.undecided:
            holder.step(link, [], 0)
        link.command("ZREM", f"{prefix(options.service)}:holders", holder.id)

    def _blamed(self) -> tuple[str, ...]:
        """The message whose code was at work, and those with threads; all that ran, if it was in the code of none.

        A thread may have been one of C code, and a signal may have come from outside. All of them are counted once
        then. That condemns none by itself: a message whose next crash would condemn it runs alone.
        """
        if self.sentence is not None and self.sentence[0] == STOP:
            return ()
        if not self.stepped:
            return self.running
        beside = () if self.sentence else self.threaded  # whoever was sentenced is known
        return tuple(dict.fromkeys((self.stepped, *beside)))

    def _end(self, tag: str, holder: Holder, app: Any, hostname: str, events: Events) -> None:
        kind, limit = self.sentence or ("crash", 0.0)
        try:
            request = request_of(app, hostname, events, holder, tag, holder.books.held[tag])
            if kind == TIME_LIMIT:
                request.on_timeout(soft=False, timeout=limit)
            elif kind == REVOKED:
                request.acknowledge()
            else:
                request.on_failure(_lost(self.exitcode))
        except (RedisError, OSError, OperationalError):
            raise
        except Exception:  # whatever it is, the message must not stay with the dead
            log.exception("the end of a message's process cannot be told")
        if tag in holder.books.held:
            holder.decide("crash", tag)


def relieve(process: Process, tag: str, link: Link, options: Options) -> None:
    """Put back what waits in a child behind a message that keeps it from doing so itself.

    Args:
        process: the child.
        tag: of the message whose code is at work; nothing is done if it has changed meanwhile.
        link: a connection.
        options: of the transport.

    Raises:
        redis.RedisError: Redis is away.
    """
    holder = OtherHolder(options, process.slot.holder)
    if link.command("HLEN", holder.hash) <= len(process.slot.running) + len(process.slot.finished):
        return
    with process.standing_still(tag) as works:
        if not works:
            return
        begun = {*process.slot.running, *process.slot.finished}
        process.slot.taken = True  # before anything moves: it looks at this before it begins with the next message
        holder.fill(link)
        for waiting in sorted(holder.books.held.keys() - begun, key=int, reverse=True):
            holder.decide("front", waiting)
        while holder.undecided:
            holder.step(link, [], 0)


def _held(entry: bytes, *, crashes: int) -> Held:
    name, _, raw = entry.partition(b"\n")
    return Held(name.decode("utf-8", "surrogateescape"), raw, crashes)


def request_of(
    app: Any,
    hostname: str,
    events: Any,
    holder: Holder,
    tag: str,
    held: Held,
    adapt: Callable[[Any], Any] = lambda kind: kind,
) -> Any:
    """Celery's request for a message that a child runs.

    Args:
        app: the application.
        hostname: of the worker.
        events: what the request's events are sent by.
        holder: has the message.
        tag: of the message.
        held: the message.
        adapt: makes the request's class of the task's own.

    Returns:
        The request.

    Raises:
        Unreadable: it is no message.
        LookupError: there is no such task.
    """
    message = Delivered(HeldChannel(holder), tag, held)
    task = app.tasks[message.headers["task"]]
    kind = adapt(symbol_by_name(task.Request))
    return message.request(task, kind, app=app, hostname=hostname, eventer=events)


def _lost(exitcode: int) -> ExceptionInfo:
    try:
        raise WorkerLostError(f"the process that ran it ended with {exitcode}")  # noqa: TRY301  - it needs a traceback
    except WorkerLostError:
        return ExceptionInfo()
