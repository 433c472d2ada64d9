"""The parent's thread that looks after the children: time limits, deaths, leases; it runs whatever the loop does."""

import select
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import structlog
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from workerkit.short_tasks import address
from workerkit.short_tasks.address import Address
from workerkit.short_tasks.estate import TIME_LIMIT, Estate, OtherHolder, relieve
from workerkit.short_tasks.events import Events
from workerkit.short_tasks.process import Process
from workerkit.short_tasks.table import Table
from workerkit.transport.link import Link

log = structlog.get_logger("worker")
_TICK_SECONDS = 0.03
_STALL_SECONDS = 1.0  # by then a child has put back itself what waits in it, unless C code keeps it from that
_LOOK_SECONDS = 0.5
_RETRY_SECONDS = 0.5
_REST_SECONDS = 0.9
_AWAY = (RedisError, OSError, OperationalError)


class Supervisor:
    """Looks after children; forking them is up to the main thread.

    Args:
        app: the application.
        hostname: the worker's.
        table: the shared memory.
        events: for what the parent has to tell about tasks.
        on_change: called when a child has died, or has followed its orders.
    """

    def __init__(self, app: Any, hostname: str, table: Table, events: Events, on_change: Callable[[], None]) -> None:
        self.processes: dict[int, Process] = {}
        self.estates: list[Estate] = []
        self.lock = threading.RLock()
        self.settling = threading.Lock()  # held while nothing should be forked
        self.address: Address | None = None
        self._app, self._hostname, self._table, self._events = app, hostname, table, events
        self._on_change = on_change
        self._link: Link | None = None
        self._woken, self._waker = socket.socketpair()
        self._woken.setblocking(False)
        self._waker.setblocking(False)
        self._rest: dict[int, float] = {}  # until when not to fork again
        self._retry_at = self._renew_at = 0.0
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopped = True
        self.wake()
        self._thread.join(timeout=5)

    def wake(self) -> None:
        """Look at the children now."""
        with suppress(OSError):
            self._waker.send(b".")

    def add(self, process: Process) -> None:
        """Look after one more."""
        with self.lock:
            self.processes[process.index] = process
        self.wake()

    def may_fork(self, index: int) -> bool:
        """Not at once after a child in that place has died as soon as it was born."""
        return time.monotonic() >= self._rest.get(index, 0.0)

    def running(self) -> list[tuple[Process, str]]:
        """All messages that run: the child, and the tag."""
        return [(process, tag) for process in self._all() for tag in process.slot.running]

    def _busy(self) -> list[tuple[Process, str]]:
        """The children that are in the code of a message, and its tag."""
        found = [(process, process.slot.stepped) for process in self._all()]
        return [(process, tag) for process, tag in found if tag is not None]

    def _run(self) -> None:
        while not self._stopped:
            self._sleep()
            try:
                with self.lock:
                    for process in list(self.processes.values()):
                        self._look_at(process)
                with self.settling:
                    self._settle()
                self._relieve()
                self._renew()
            except Exception:
                log.exception("looking after the pool's processes failed")
                time.sleep(_RETRY_SECONDS)

    def _sleep(self) -> None:
        busy = bool(self.estates) or any(process.slot.limit_is_near for process in self._all())
        self._table.watched = busy
        poller = select.poll()
        for thing in (self._woken, *(process.connection for process in self._all())):
            if thing.fileno() >= 0:
                poller.register(thing, select.POLLIN)
        poller.poll(1000 * (_TICK_SECONDS if busy else _LOOK_SECONDS))
        with suppress(BlockingIOError):
            self._woken.recv(4096)

    def _all(self) -> list[Process]:
        with self.lock:
            return list(self.processes.values())

    def _look_at(self, process: Process) -> None:
        with suppress(OSError):
            process.connection.recv(4096)
        exitcode = process.exitcode
        if exitcode is None:
            self._enforce(process)
            if process.slot.leaving and not process.replaced:
                process.replaced = True
                self._on_change()
            return
        process.close()
        del self.processes[process.index]
        estate = Estate.of(process, exitcode)
        if process.died_young and not process.slot.done:
            self._rest[process.index] = time.monotonic() + _REST_SECONDS
        if exitcode:
            log.warning("a process of the pool has died", pid=process.pid, exitcode=exitcode, why=process.sentence)
        self.estates.append(estate)
        self._on_change()

    def _enforce(self, process: Process) -> None:
        slot = process.slot
        tag = slot.stepped
        if tag is None or slot.seconds < slot.patience:
            return
        (soft, hard), age = slot.limits(tag), slot.age(tag)
        if hard and age >= hard:
            process.kill_if_running(tag, (TIME_LIMIT, hard))
        elif soft and age >= soft and slot.interrupted != tag:
            log.warning("a soft time limit is over", pid=process.pid, seconds=soft)
            process.interrupt(tag)

    def open(self) -> tuple[Link, Address]:
        """The thread's connection.

        Raises:
            Exception: Redis is away.
        """
        if self.address is None:
            self.address = address.find(self._app)
            self._events.start(self.address)
        if self._link is None:
            self._link = self.address.connect()
        return self._link, self.address

    def _close(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.close()

    def _settle(self) -> None:
        while self.estates and time.monotonic() >= self._retry_at:
            try:
                link, found = self.open()
                self.estates[0].settle(link, found.options, self._app, self._hostname, self._events)
            except _AWAY as error:
                log.warning("what a dead process held is settled later", error=str(error))
                self._close()
                self._retry_at = time.monotonic() + _RETRY_SECONDS
                return
            del self.estates[0]

    def _relieve(self) -> None:
        for process, tag in self._busy():
            if process.slot.seconds < _STALL_SECONDS or process.relieved == tag or not process.slot.holder:
                continue
            try:
                link, found = self.open()
                with self.lock:
                    relieve(process, tag, link, found.options)
            except _AWAY:
                self._close()
            else:
                process.relieved = tag

    def _renew(self) -> None:
        # A task in C code may hold Python's global lock, so that the child's own thread cannot renew its lease.
        if self.address is None or time.monotonic() < self._renew_at:  # known as soon as a task runs for a second
            return
        lease = self.address.options.lease_seconds
        self._renew_at = time.monotonic() + lease / 5
        for process, _ in self._busy():
            if process.slot.seconds > lease / 5 and process.slot.holder:
                self._renew_for(process.slot.holder)

    def _renew_for(self, name: str) -> None:
        try:
            link, found = self.open()
            OtherHolder(found.options, name).step(link, [], 0)
        except _AWAY:
            self._close()
