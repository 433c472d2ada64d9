"""A process of the pool: claims messages for itself, runs them one after the other, and says so with its next claim."""

import resource
import select
import signal
import socket
import time
from typing import Any

import structlog
from billiard.exceptions import SoftTimeLimitExceeded
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from workerkit.short_tasks import address
from workerkit.short_tasks.address import Address
from workerkit.short_tasks.events import Events
from workerkit.short_tasks.orders import Orders
from workerkit.short_tasks.plan import Plan
from workerkit.short_tasks.runner import Runner
from workerkit.short_tasks.table import Slot, Table
from workerkit.transport import keys, registry
from workerkit.transport.pace import Pace
from workerkit.transport.patience import Patience

log = structlog.get_logger("worker")
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0
_WEIGH_SECONDS = 0.5  # between two looks at the memory
BLOCKED_SECONDS = 0.05  # a suspect waits until nothing else is held
_AWAY = (RedisError, OSError, OperationalError)


class Child:
    """The loop of one process.

    Args:
        app: the application.
        hostname: the worker's.
        table: the memory shared with the parent, and this child's part of it.
        orders: what the parent wants.
        plans: of all tasks.
        pid: the parent's.
    """

    _kind_of_runner: type[Runner] = Runner

    def __init__(
        self, app: Any, hostname: str, table: Table, slot: Slot, orders: Orders, plans: dict[str, Plan], pid: int
    ) -> None:
        self._app, self._hostname, self._plans = app, hostname, plans
        self._table, self._slot, self._orders = table, slot, orders
        self._events = Events(app, hostname, pid, lambda: table.events)
        self._pace = Pace()
        self._patience = Patience()
        self._kicked, self._kicker = socket.socketpair()
        self._kicked.setblocking(False)
        self._kicker.setblocking(False)
        self._address: Address | None = None
        self._holder: Any = None
        self._runner: Any = None
        self._link: Any = None
        self._wake_up: Any = None
        self._look = False
        self._stalls = 0
        self._fresh = 0.0  # seconds after a renewal of the lease in which no other can have what waits here
        self._weigh_at, self._fat = 0.0, False
        self._most_tasks = app.conf.worker_max_tasks_per_child or 0
        self._most_memory = app.conf.worker_max_memory_per_child or 0

    def run(self) -> None:
        """Work until the parent wants no more, or until it is time for a fresh process."""
        signal.signal(signal.SIGUSR1, self._on_soft_limit)
        pause = _FIRST_PAUSE
        while not self._is_over():
            try:
                self._connect()
                pause = _FIRST_PAUSE
                while not self._is_over():
                    self._turn()
            except _AWAY as error:
                log.warning("the broker is away", error=str(error), seconds=pause)
                self._disconnect()
                self._rest(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
        registry.leave()
        if self._address is not None:
            self._events.flush(self._address)

    @classmethod
    def prepare(cls, app: Any) -> None:
        """In the new process, before Celery's tracers are built."""

    def _on_soft_limit(self, *_: Any) -> None:
        running = None if self._runner is None else self._runner.running
        if running is not None and running == self._slot.interrupted:
            self._runner.running = None
            raise SoftTimeLimitExceeded

    def _is_over(self) -> bool:
        return self._is_to_leave()

    def _is_to_leave(self) -> bool:
        if self._orders.leave or (self._runner is not None and self._runner.spoilt):
            return True
        if self._most_tasks and self._slot.done >= self._most_tasks:
            return True
        if self._most_memory and time.monotonic() >= self._weigh_at:
            self._weigh_at = time.monotonic() + _WEIGH_SECONDS
            self._fat = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > self._most_memory
        return self._fat

    def _connect(self) -> None:
        if self._address is None:
            self._address = address.find(self._app)
            self._begin(self._address)
        self._open(self._address)
        self._holder.step(self._link, [], 0)
        self._holder.reconcile(self._link)
        self._look = True

    def _open(self, found: Address) -> None:
        self._link = found.connect()
        self._wake_up = found.wake_up(self._link)

    def _begin(self, found: Address) -> None:
        self._holder = holder = registry.take(found.options, found.key, found.connect, self._table.worker)
        self._slot.holder = holder.id
        holder.on_settled = self._pace.finished
        self._runner = self._kind_of_runner(
            self._app, self._hostname, self._plans, holder, self._slot, self._events, self._flush, self._tell
        )
        self._fresh = found.options.lease_seconds / 2
        registry.started(holder, self._kick)
        self._events.start(found)

    def _disconnect(self) -> None:
        for link in (self._link, self._wake_up):
            if link is not None:
                link.close()
        self._link = self._wake_up = None

    def _rest(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self._orders.leave:
            self._orders.wait(until - time.monotonic())
            self._obey()

    def _kick(self) -> None:
        # From the lease's thread, every few seconds, and when it has put back what waited here.
        self._look = True
        try:
            self._kicker.send(b".")
        except OSError:
            return

    def _obey(self) -> None:
        self._orders.read()
        if self._holder is None or not self._holder.books.held:
            self._slot.orders = self._orders.number

    def _tell(self) -> None:
        if not self._table.watched:
            self._orders.tell()

    def _flush(self) -> None:
        if self._link is not None:
            self._holder.step(self._link, [], 0)

    def _turn(self) -> None:
        self._orders.read()
        step = self._confirmed_step()
        if self._holder.books.waiting:
            self._work()
            return
        self._weigh_at = 0.0  # before it waits, perhaps for long
        if not self._holder.undecided and not self._is_to_leave():
            self._wait(BLOCKED_SECONDS if step.blocked else None)

    def _confirmed_step(self) -> Any:
        mark = self._slot.mark()
        number = self._orders.number
        step = self._step()
        self._slot.confirmed(mark if step.complete else None, len(self._holder.books.held))
        self._slot.orders = number
        if step.unknown and self._holder.books.held:
            self._holder.reconcile(self._link)
        return step

    def _step(self) -> Any:
        holder = self._holder
        if holder.stalls != self._stalls:
            self._stalls = holder.stalls
            self._pace.stalled()
        lists = self._lists()
        now = time.monotonic()
        step = holder.step(
            self._link, lists, max(1, self._pace.ahead(now)) if lists else 0, along=self._patience.is_over(now)
        )
        self._patience.note(step.blocked, now)
        return step

    def _lists(self) -> list[str]:
        """Where to claim from, by priority; none if it is to claim no more."""
        queues = self._orders.queues
        if not queues or self._orders.leave:
            return []
        queues.append(queues.pop(0))  # in turn, so that a busy queue does not keep the others waiting
        by_priority = zip(*(keys.lists(queue) for queue in queues), strict=True)
        return [name for names in by_priority for name in names]

    def _work(self) -> None:
        holder = self._holder
        while True:
            if self._slot.taken or time.monotonic() - holder.renewed_at > self._fresh:
                self._compare()
            tag = None if self._runner.spoilt else holder.take()
            if tag is None:
                break
            self._runner.run(tag, holder.books.held[tag])

    def _compare(self) -> None:
        # This process stood still, or a task in C code kept its lease's thread from running: others may have what
        # waits here.
        step = self._holder.step(self._link, [], 0)
        if step.unknown or self._slot.taken:
            self._holder.reconcile(self._link)
            self._slot.taken = False

    def _wait(self, seconds: float | None) -> None:
        if self._look:
            self._look = False
            self._wake_up.check()
        poller = select.poll()
        for thing in (self._wake_up, self._kicked, self._orders):
            poller.register(thing, select.POLLIN)
        ready = {descriptor for descriptor, _ in poller.poll(None if seconds is None else seconds * 1000)}
        if self._kicked.fileno() in ready:
            self._kicked.recv(4096)
        if self._wake_up.fileno() in ready:
            self._wake_up.drain()
