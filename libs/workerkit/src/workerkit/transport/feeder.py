"""Gives claimed messages to the consumer as its slots get free, and claims new ones; runs in the event loop."""

import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import structlog
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from taskclient.letters import UNREADABLE
from workerkit.transport import guard, keys
from workerkit.transport.holder import Held, Holder
from workerkit.transport.link import Link, WakeUp
from workerkit.transport.pace import Pace
from workerkit.transport.patience import Patience

log = structlog.get_logger("worker")
_FLUSH_SECONDS = 0.02  # an acknowledgement waits no longer for the next claim
_TURN_SECONDS = 0.02  # then other events of the loop get their turn
_SOON_SECONDS = 0.5  # a message due within this time is delivered, and waits in the worker
_FRESH = 0.5  # share of the lease after which a claim may have gone to others, so that Redis is asked first
_UNLIMITED = 1000


class Feeder:
    """Between one consumer's queues and its callbacks.

    Args:
        holder: the books.
        link: the connection for steps.
        wake_up: readable when a queue that was empty is not any more.
        prefetch: how many messages the consumer wants at once; 0 is no limit.
        deliver: hands a message that was read to the consumer of a queue; False if there is none.
    """

    def __init__(
        self,
        holder: Holder,
        link: Link,
        wake_up: WakeUp,
        prefetch: Callable[[], int],
        deliver: Callable[[dict[str, Any], str], bool],
    ) -> None:
        self.queues: list[str] = []
        self.wake_up = wake_up
        self.kicked, self._kicker = socket.socketpair()
        self._holder = holder
        self._link = link
        self._prefetch = prefetch
        self._deliver = deliver
        self._pace = Pace()
        self._kick_pending = False
        self._empty = False  # the lists were, and Redis will tell when they are not any more
        self._look = True
        self._stalls = holder.stalls
        self._patience = Patience()
        self._ahead = 0  # messages that are finished within a few hundredths of a second
        self.kicked.setblocking(False)
        holder.on_settled = self._settled

    def close(self) -> None:
        """Close the connections; what is held stays held."""
        self._holder.on_settled = lambda: None
        for thing in (self._link, self.wake_up, self.kicked, self._kicker):
            thing.close()

    def kick(self) -> None:
        """Have the event loop call `pump` soon; from any thread."""
        if not self._kick_pending:
            self._kick_pending = True
            try:
                self._kicker.send(b".")
            except OSError:  # closed meanwhile
                return

    def look(self) -> None:
        """Look into the queues even if no wake-up came; from any thread."""
        self._look = True
        self.kick()

    def _settled(self) -> None:
        self._pace.finished()
        self.kick()

    def pump(self) -> bool:
        """Do all that can be done now; called when one of the two descriptors is readable."""
        self._drain()
        if not self.queues:
            self._sleep()
            return True
        until = time.monotonic() + _TURN_SECONDS
        while self._turn() and time.monotonic() < until:
            pass
        return True

    def _drain(self) -> None:
        try:
            self.kicked.recv(4096)
        except BlockingIOError:
            self._empty = False  # so it was the wake-up that called
        self._kick_pending = False
        if not self._empty or self._look:
            self.wake_up.drain()

    def _sleep(self) -> None:
        # The consumer was cancelled: nothing is delivered any more, what is finished is still told.
        if self._holder.books.waiting:
            self._holder.give_back(self._link)
        elif self._holder.undecided:
            self._step(0)

    def _turn(self) -> bool:
        """Deliver, then step; True if there may be more to do."""
        now = time.monotonic()
        if self._holder.books.waiting and now - self._holder.renewed_at > self._holder.options.lease_seconds * _FRESH:
            self._step(0)  # this process stood still: are these messages still its own?
        self._look_ahead(now)
        moved = self._deliver_waiting()
        want = self._want(time.monotonic())
        claim = want > 0 and (not self._empty or self._look)
        if claim or self._must_flush():
            moved = self._step(want) > 0 or moved
        if self._look:
            self._look = False
            self.wake_up.check()
        more = moved and (bool(self._holder.books.waiting) or not self._empty)
        if more:
            self.kick()
        return more

    def _look_ahead(self, now: float) -> None:
        if self._holder.stalls != self._stalls:
            self._stalls = self._holder.stalls
            self._pace.stalled()
        self._ahead = self._pace.ahead(now)

    def _free(self) -> int:
        more = min(self._ahead, self._holder.room()) if self._ahead else 0
        return (self._prefetch() or _UNLIMITED) + more - len(self._holder.books.delivered)

    def _want(self, now: float) -> int:
        holder, ahead = self._holder, self._ahead
        if holder.books.held and (holder.alone or self._patience.lasts(now)):
            return 0
        waiting = len(holder.books.waiting)
        return 0 if ahead and waiting > ahead // 2 else max(0, self._free() + ahead - waiting)

    def _must_flush(self) -> bool:
        late = time.monotonic() - self._holder.stepped_at > _FLUSH_SECONDS
        return self._holder.undecided and (late or not self._holder.books.waiting)

    def _step(self, want: int) -> int:
        now = time.monotonic()
        lists = self._lists() if want else []
        step = self._holder.step(self._link, lists, want, along=self._patience.is_over(now))
        if want:
            self._empty = step.claimed < want and not step.blocked
            self._patience.note(step.blocked, now)
        if step.unknown and self._holder.books.held:
            log.warning("others have called this worker dead: its messages may run twice")
            self._holder.reconcile(self._link)
        return step.claimed

    def _lists(self) -> list[str]:
        # In turn, so that a busy queue does not keep the others waiting; priorities first, as kombu has it.
        self.queues.append(self.queues.pop(0))
        by_priority = zip(*(keys.lists(queue) for queue in self.queues), strict=True)
        return [name for names in by_priority for name in names]

    def _deliver_waiting(self) -> bool:
        moved = False
        until = time.monotonic() + _TURN_SECONDS
        while self._free() > 0 and self.queues and (tag := self._holder.take()) is not None:
            self._deliver_one(tag, self._holder.books.held[tag])
            moved = True
            if time.monotonic() > until:
                break
        return moved

    def _deliver_one(self, tag: str, held: Held) -> None:
        try:
            message = guard.read(held.raw)
            due = guard.start_time(message)
        except guard.Unreadable as error:
            log.warning("unreadable message", list=held.list, problem=str(error))
            self._holder.bury(tag, UNREADABLE, str(error))
            return
        if due is not None and due - self._holder.now() > _SOON_SECONDS:
            self._holder.delay(tag, due)
            return
        self._hand_over(tag, held, message, due)

    def _by_own_clock(self, due: float) -> str | None:
        """What is left of the waiting; Celery measures it by this process's clock, which may differ from Redis'."""
        left = due - self._holder.now()
        return datetime.fromtimestamp(time.time() + left, UTC).isoformat() if left > 0 else None

    def _hand_over(self, tag: str, held: Held, message: dict[str, Any], due: float | None) -> None:
        if due is not None:
            message["headers"]["eta"] = self._by_own_clock(due)
        message["properties"]["delivery_tag"] = tag
        message["properties"]["delivery_info"]["redelivered"] = held.crashes > 0
        try:
            if not self._deliver(message, keys.queue_of(held.list)):
                self._holder.decide("front", tag)
        except (RedisError, OSError, OperationalError):
            # The event loop reconnects; nobody has begun with the message, or its request is forgotten.
            self._holder.redeliver([tag])
            raise
        except Exception as error:  # whatever the guard did not foresee must not end the worker
            log.exception("a message could not be taken", list=held.list)
            self._holder.bury(tag, UNREADABLE, f"{type(error).__name__}: {error}")
