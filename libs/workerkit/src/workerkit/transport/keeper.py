"""The thread that keeps a worker's lease while its main thread is busy, and looks after what nobody else would."""

import threading
import time
from collections.abc import Callable

import structlog
from redis.exceptions import RedisError

from workerkit.transport.holder import Holder
from workerkit.transport.link import Link

log = structlog.get_logger("worker")
_STALL_SECONDS = 0.1
_BUSY_SECONDS = 0.05
_LONGEST_SLEEP = 3.0
_LOOK_SECONDS = 5.0
_REST_SECONDS = 0.5  # after a failed attempt
_EXPIRE_SECONDS = 60.0


class Keeper:
    """Renews the lease, takes over messages of dead workers, moves delayed messages when they are due.

    Args:
        holder: whose lease.
        connect: opens a connection of the keeper's own.
        kick: has the event loop look into the queues; called every few seconds, in case a wake-up got lost.
    """

    def __init__(self, holder: Holder, connect: Callable[[], Link], kick: Callable[[], None]) -> None:
        self.kick = kick
        self.connect = connect
        self.knows: Callable[[str], bool] = lambda _: False
        self.on_letters: Callable[[int], None] = lambda _: None
        self._holder = holder
        self._link: Link | None = None
        self._stop = threading.Event()
        self._hurry = threading.Event()
        self._unbroken_since: float | None = None
        self._next_due: float | None = None
        self._rest_until = 0.0
        self._expire_at = 0.0
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)

    def start(self) -> None:
        """Begin; the first tick comes at once."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; the lease is not touched."""
        self._stop.set()
        self._hurry.set()
        if self._thread is not threading.current_thread():
            self._thread.join(timeout=5)
        self._close()

    def due_at(self, moment: float) -> None:
        """A message was delayed until `moment` (seconds since 1970): be awake then."""
        due = time.monotonic() + max(0.0, moment - self._holder.now())
        if self._next_due is None or due < self._next_due:
            self._next_due = due
            self._hurry.set()

    def watch(self) -> None:
        """Messages were claimed ahead: be awake when they do not move."""
        if not self._hurry.is_set():
            self._hurry.set()

    def _run(self) -> None:
        last_tick = last_look = 0.0
        period = min(_LONGEST_SLEEP, self._holder.options.lease_seconds / 4)
        while not self._stop.is_set():
            now = time.monotonic()
            due = self._next_due is not None and now >= self._next_due
            if now - last_tick >= period or due:
                self._tick_safely()
                last_tick = time.monotonic()
            self._unstick()
            if now - last_look >= _LOOK_SECONDS:
                self.kick()
                last_look = now
            self._sleep(last_tick + period)

    def _sleep(self, next_tick: float) -> None:
        until = next_tick if self._next_due is None else min(next_tick, self._next_due)
        busy = self._holder.undecided or self._holder.books.waiting
        pause = min(until - time.monotonic(), _BUSY_SECONDS if busy else _LONGEST_SLEEP)
        if pause > 0 and self._hurry.wait(pause):
            self._hurry.clear()
            if not self._stop.is_set():
                self._stop.wait(min(pause, _BUSY_SECONDS))

    def _tick_safely(self) -> None:
        began = time.monotonic()
        try:
            self._tick(began)
        except (RedisError, OSError) as error:
            if self._unbroken_since is not None:
                log.warning("the lease could not be renewed", error=str(error))
            self._unbroken_since, self._next_due = None, None
            self._close()
            self.kick()  # the event loop may be waiting on a connection that is as dead, and notice only much later

    def _tick(self, now: float) -> None:
        lease = self._holder.options.lease_seconds
        if now - self._holder.renewed_at > lease / 2:  # a gap: this process stood still, or Redis was away
            self._unbroken_since = None
        if self._unbroken_since is None:
            self._unbroken_since = now
        # Only who has reached Redis without a gap for a whole lease may call others dead: after an outage that was
        # longer than the lease, the first one back would else take over what all others still run.
        tick = self._holder.tick(self._open(), sweep=now - self._unbroken_since >= lease)
        self._next_due = None if tick.next_due is None else time.monotonic() + tick.next_due
        known = [name for name in tick.parked if self.knows(name)]
        if known:
            count = self._holder.offer(self._open(), known)
            log.info("parked messages are offered again", tasks=known, messages=count)
        self._expire([name for name in tick.parked if name not in known])
        self.on_letters(tick.letters_percent)
        if tick.taken:
            log.warning("took over messages of a dead worker", messages=tick.taken)
        if tick.unknown and self._holder.books.held:
            log.warning(
                "others have called this worker dead: its messages may run twice", held=len(self._holder.books.held)
            )
            self._holder.reconcile(self._open())

    def _expire(self, unknown: list[str]) -> None:
        if not unknown or time.monotonic() < self._expire_at:
            return
        expired, more = self._holder.expire(self._open(), unknown)
        if expired:
            log.warning("parked messages became dead letters", messages=expired)
        if not more:  # else the next tick goes on
            self._expire_at = time.monotonic() + _EXPIRE_SECONDS

    def _unstick(self) -> None:
        """What the main thread leaves lying: verdicts that wait, messages claimed ahead that do not move."""
        holder = self._holder
        if time.monotonic() < self._rest_until:
            return
        try:
            if holder.books.waiting and time.monotonic() - holder.moved_at > _STALL_SECONDS:
                holder.stalls += 1
                holder.give_back(self._open())
                self.kick()
            elif holder.undecided and time.monotonic() - holder.stepped_at > _BUSY_SECONDS:
                link = self._open()
                link.command("PING")  # while Redis is silent, nobody is to wait for the holder's lock
                holder.step(link, [], 0)
        except (RedisError, OSError):
            self._rest_until = time.monotonic() + _REST_SECONDS
            self._close()

    def _open(self) -> Link:
        if self._link is None:
            self._link = self.connect()
        return self._link

    def _close(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.close()
