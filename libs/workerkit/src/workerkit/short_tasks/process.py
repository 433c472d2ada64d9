"""Forks a child, and is what the parent knows of it."""

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import billiard
import structlog
from billiard.process import BaseProcess
from celery import _state, platforms, signals
from celery.app.trace import build_tracer
from celery.worker import state
from kombu.asynchronous import set_event_loop

from workerkit.short_tasks.child import Child
from workerkit.short_tasks.orders import Orders
from workerkit.short_tasks.plan import plans
from workerkit.short_tasks.table import Slot, Table
from workerkit.transport import registry

log = structlog.get_logger("worker")
_platforms: Any = platforms  # the stubs leave out the parts that are not public
_celery_state: Any = _state
_GROUP_SIGNALS = ("SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR2")
_STOP_SECONDS = 1.0
_RUNNING_IN = 1.0  # a child that died sooner may do so again


class Process:
    """A child as its parent sees it.

    Args:
        app: the application.
        hostname: the worker's.
        table: the shared memory.
        index: of the child's part of it.
        kind: what the child is.
        limits: soft and hard time limit of tasks that have none of their own.
        others: what the new child has to close: the parent's ends of the others' connections.
    """

    def __init__(
        self,
        app: Any,
        hostname: str,
        table: Table,
        index: int,
        kind: type[Child],
        limits: tuple[float | None, float | None],
        others: list[socket.socket],
    ) -> None:
        self.index, self.slot = index, table.slots[index]
        self.born = time.monotonic()
        self.relieved = ""  # the tag of the message behind which the parent has looked for others that wait
        self.replaced = False  # it is leaving, and the pool was told
        self.sentence: tuple[str, float] | None = None  # why the parent has killed it
        self.slot.clear()
        self.connection, inner = socket.socketpair()
        ours = [*others, self.connection]
        arguments = (app, hostname, table, self.slot, inner, limits, ours, os.getpid(), index, kind)
        context: Any = billiard.get_context("fork")
        self._process: BaseProcess = context.Process(target=_main, args=arguments, daemon=True)
        self._process.start()
        inner.close()
        self.connection.setblocking(False)
        self._unsent = b""

    @property
    def pid(self) -> int:
        """Its process id."""
        return int(self._process.pid or 0)

    @property
    def exitcode(self) -> int | None:
        """None while it lives; negative: the signal that ended it."""
        code: int | None = self._process.exitcode
        return code

    @property
    def died_young(self) -> bool:
        """It may have died from what every new one will meet."""
        return time.monotonic() - self.born < _RUNNING_IN

    def order(self, number: int, **orders: Any) -> None:
        """Tell it what is wanted; what does not fit into the connection now is sent later."""
        self._unsent += json.dumps({"number": number, **orders}).encode() + b"\n"
        self.send_rest()

    def send_rest(self) -> None:
        """Send what did not fit before."""
        if not self._unsent:
            return
        try:
            sent = self.connection.send(self._unsent)
        except OSError:
            return
        self._unsent = self._unsent[sent:]

    def interrupt(self, tag: str) -> None:
        """Raise SoftTimeLimitExceeded in the task of that message, and in no other."""
        self.slot.interrupted = tag
        self._signal(signal.SIGUSR1)

    def kill_if_running(self, tag: str, sentence: tuple[str, float]) -> bool:
        """Kill it if it is in the code of that very message; it is made to stand still before the parent looks.

        Args:
            tag: of the message.
            sentence: why, and the time limit.

        Returns:
            Whether it was killed.
        """
        with self.standing_still(tag) as guilty:
            if guilty:
                self.sentence = sentence
                self._signal(signal.SIGKILL)
        return guilty

    @contextmanager
    def standing_still(self, tag: str) -> Iterator[bool]:
        """Make it stand still; says whether it then is in the code of the message of that tag."""
        slot = self.slot
        self._signal(signal.SIGSTOP)
        try:
            yield self._stands_still() and slot.stepped == tag and slot.seconds >= slot.patience
        finally:
            self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """Kill it, whatever it does; what it held goes back."""
        self.sentence = self.sentence or ("stop", 0.0)
        self._signal(signal.SIGKILL)

    def _stands_still(self) -> bool:
        until = time.monotonic() + _STOP_SECONDS
        while time.monotonic() < until and self.exitcode is None:
            if os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOHANG) is not None:
                return True
            time.sleep(0.001)
        return False

    def _signal(self, number: int) -> None:
        if self.exitcode is None:
            os.kill(self.pid, number)

    def close(self) -> None:
        """Forget it; it is dead."""
        self.connection.close()
        self._process.join()


def _main(
    app: Any,
    hostname: str,
    table: Table,
    slot: Slot,
    connection: socket.socket,
    limits: tuple[float | None, float | None],
    others: list[socket.socket],
    parent: int,
    index: int,
    kind: type[Child],
) -> None:
    _platforms.set_pdeathsig("SIGKILL")
    if os.getppid() != parent:
        return
    # Whoever ends the worker signals all its processes. A handler, as what a task starts would inherit SIG_IGN.
    for name in _GROUP_SIGNALS:
        signal.signal(getattr(signal, name), _nothing)
    for other in others:
        other.close()
    set_event_loop(None)
    _celery_state._set_task_join_will_block(True)
    kind.prepare(app)
    _prepare(app, hostname, index)
    try:
        planned = plans(app, table.tasks, *limits)
        kind(app, hostname, table, slot, Orders(connection), planned, parent).run()
    finally:
        signals.worker_process_shutdown.send(sender=hostname, pid=os.getpid(), exitcode=0)


def _prepare(app: Any, hostname: str, index: int) -> None:
    for known in (state.requests, state.reserved_requests, state.active_requests, state.total_count):
        known.clear()
    if index:  # one of them is enough to tell
        registry.hooks.on_letters = lambda _: None
    app.loader.init_worker_process()
    for name, task in app.tasks.items():
        task.__trace__ = build_tracer(name, task, app.loader, hostname, app=app)
    signals.worker_process_init.send(sender=hostname)


def _nothing(*_: Any) -> None:
    return
