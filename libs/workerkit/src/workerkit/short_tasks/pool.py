"""Celery's interface to the pool for short tasks: the setting `worker_pool` names `TaskPool`.

How to find one's way: a `Child` is a process that claims messages for itself, as a holder of its own, and has a
`Runner` run them by Celery's tracer. It writes into its `Slot` of the shared `Table` what it runs. The parent is
Celery's worker, which runs nothing: its `TaskConsumer` tells the children what to claim, its `Supervisor`, a thread,
keeps the time limits and settles the `Estate` of a child that has died. `Remote` has remote control see what they do.
"""

import os
import socket
import time
from contextlib import suppress
from typing import Any

import structlog
from celery.concurrency import prefork
from celery.concurrency.base import BasePool
from celery.worker import state

from workerkit import memory
from workerkit.short_tasks import address, consumer, plan
from workerkit.short_tasks.child import Child
from workerkit.short_tasks.estate import REVOKED
from workerkit.short_tasks.events import Events
from workerkit.short_tasks.process import Process
from workerkit.short_tasks.supervisor import Supervisor
from workerkit.short_tasks.table import Table

log = structlog.get_logger("worker")
_state: Any = state  # the stubs leave out the parts that are not public
_Base: Any = BasePool
_SPARE = 32  # how far the pool may grow beyond its size at the start
_PAUSE_SECONDS = 1.0  # before the next try, when children die as soon as they are born
_SETTLE_SECONDS = 5.0
_PATIENCE_SECONDS = 30.0  # with the broker away no child claims
_LOOK_SECONDS = 0.02


class TaskPool(prefork.TaskPool):
    """Processes that claim for themselves; of Celery's pool of processes only the kind is inherited."""

    uses_semaphore = False
    kind: type[Child] = Child
    name = "the pool for short tasks"

    def __init__(self, limit: int, *, app: Any, initargs: tuple[Any, ...], **options: Any) -> None:
        address.refuse_other_broker(app, self.name)
        plan.refuse_what_does_not_fit(app, self.name)
        BasePool.__init__(self, limit, app=app, **options)
        self.limits = (options.get("soft_timeout"), options.get("timeout"))
        self.queues: list[str] = []
        self.number = 0
        self.unfinished: dict[int, consumer.Unfinished] = {}
        self._hostname = initargs[1]
        self._wanted = set(range(limit))
        self._closing = False
        self._healthy_at = time.monotonic()
        self._supervisor: Any = None
        self._table: Any = None
        self._changed, self._changer = socket.socketpair()
        self._changed.setblocking(False)
        self._changer.setblocking(False)
        consumer.install(app, self)

    def on_start(self) -> None:
        """Fork the children."""
        self._table = self._new_table(self.limit + _SPARE, list(self.app.tasks))
        self._table.events = bool(self.app.conf.worker_send_task_events)  # until the worker's own dispatcher says more
        events = Events(self.app, self._hostname, os.getpid(), lambda: self._table.events)
        self._supervisor = Supervisor(self.app, self._hostname, self._table, events, self._on_change)
        memory.share()
        self._fork_missing()
        self._supervisor.start()

    def _new_table(self, children: int, tasks: list[str]) -> Table:
        return Table(children, tasks)

    def did_start_ok(self) -> bool:
        """Whether there are children."""
        return bool(self._supervisor.processes)

    def register_with_event_loop(self, loop: Any) -> None:
        """Have the main thread fork when a child has died."""
        loop.add_reader(self._changed, self._follow, loop)

    @property
    def table(self) -> Table:
        """The shared memory."""
        table: Table = self._table
        return table

    @property
    def supervisor(self) -> Supervisor:
        """The thread that looks after the children."""
        supervisor: Supervisor = self._supervisor
        return supervisor

    def _on_change(self) -> None:
        with suppress(OSError):
            self._changer.send(b".")

    def _follow(self, loop: Any) -> None:
        with suppress(BlockingIOError):
            self._changed.recv(4096)
        if self._fork_missing():
            loop.call_later(_PAUSE_SECONDS, self._fork_missing)

    def _fork_missing(self) -> bool:
        """Fork what is missing; True if a child that died young is to be replaced later."""
        late = False
        self._replace_leaving()
        for index in sorted(self._wanted - self._supervisor.processes.keys()):
            if self._closing:
                return False
            if not self._supervisor.may_fork(index):
                late = True
                continue
            process = self._fork(index)
            process.order(self.number, queues=self.queues)
            self._supervisor.add(process)
        return late

    def _replace_leaving(self) -> None:
        """Let another place be wanted instead of that of a child which only finishes what it runs."""
        processes = dict(self._supervisor.processes)
        spare = [index for index in self._spare() if index not in processes]
        leaving = [index for index in self._wanted if index in processes and processes[index].slot.leaving]
        for index, other in zip(leaving, spare, strict=False):
            self._wanted.discard(index)
            self._wanted.add(other)

    def _spare(self) -> list[int]:
        return [index for index in range(len(self._table.slots)) if index not in self._wanted]

    def _fork(self, index: int) -> Process:
        others = [process.connection for process in list(self._supervisor.processes.values())]
        # A lock that the thread holds at this moment would be locked in the child for ever.
        alone = self._supervisor.settling.acquire(timeout=_PAUSE_SECONDS)
        try:
            return Process(self.app, self._hostname, self._table, index, self.kind, self.limits, others)
        finally:
            if alone:
                self._supervisor.settling.release()

    @property
    def healthy(self) -> bool:
        """Whether some child has come so far as to claim messages, or may still do so."""
        processes = list(self._supervisor.processes.values())
        if any(process.slot.holder for process in processes):
            self._healthy_at = time.monotonic()
        return time.monotonic() - self._healthy_at < _PATIENCE_SECONDS

    def order(self, **orders: Any) -> None:
        """Tell all children."""
        self.number += 1
        for process in list(self._supervisor.processes.values()):
            process.order(self.number, **orders)

    def claim_from(self, queues: list[str]) -> None:
        """Have the children claim from these queues, and from no others; none is to stop claiming."""
        if queues == self.queues:
            return
        self.queues = queues
        self.order(queues=queues)
        self.unfinished.clear()
        if not queues:
            for index, process in list(self._supervisor.processes.items()):
                self.unfinished[index] = consumer.Unfinished(self, process, self.number)
            _state.reserved_requests.update(self.unfinished.values())

    def settle_unfinished(self) -> None:
        """Forget the children that have stopped claiming and have finished all they had; the loop calls it often."""
        for process in list(self._supervisor.processes.values()):
            process.send_rest()
        for index, unfinished in list(self.unfinished.items()):
            if unfinished.is_over():
                state.reserved_requests.discard(unfinished)
                del self.unfinished[index]

    def grow(self, n: int = 1) -> None:
        """Add children."""
        spare = [index for index in self._spare() if index not in self._supervisor.processes]
        self._wanted.update(spare[:n])
        self.limit = len(self._wanted)
        self._fork_missing()

    def shrink(self, n: int = 1) -> None:
        """Let children leave when they have finished what they run; one stays."""
        for index in sorted(self._wanted, reverse=True)[: min(n, self.limit - 1)]:
            self._wanted.discard(index)
            process = self._supervisor.processes.get(index)
            if process is not None:
                process.order(self.number, leave=True)
        self.limit = len(self._wanted)

    def on_apply(self, *_args: Any, **_options: Any) -> None:
        """Refuse.

        Raises:
            NotImplementedError: always; the children claim for themselves.
        """
        raise NotImplementedError(f"{self.name} is given no tasks")

    def on_close(self) -> None:
        """Nothing: `on_stop` follows."""

    def on_stop(self) -> None:
        """Wait until what runs is finished; the time limits go on to hold."""
        if self._supervisor is None:  # the worker was refused before its pool started
            return
        if _state.should_terminate:
            self.on_terminate()
            return
        self._closing = True
        self.order(leave=True)
        while self._supervisor.processes and not _state.should_terminate:
            time.sleep(_LOOK_SECONDS)
        self.on_terminate()

    def on_terminate(self) -> None:
        """Kill what is left; what it held goes back."""
        if self._supervisor is None:
            return
        self._closing = True
        for process in list(self._supervisor.processes.values()):
            process.kill()
        self._supervisor.wake()
        until = time.monotonic() + _SETTLE_SECONDS
        while (self._supervisor.processes or self._supervisor.estates) and time.monotonic() < until:
            time.sleep(_LOOK_SECONDS)
        self._supervisor.stop()
        _state.reserved_requests.difference_update(self.unfinished.values())
        self.unfinished.clear()

    def terminate_job(self, pid: int, signal: Any = None) -> None:
        """Nothing: `remote.Running` asks for `end_task`."""

    def end_task(self, process: Process, tag: str, number: object) -> bool:  # noqa: ARG002  - another pool tells it
        """End a task by killing its process, if it is in the code of that very message.

        Args:
            process: which runs it.
            tag: of the message.
            number: the signal that was asked for.

        Returns:
            Whether it was killed, so that somebody else has to tell about it.
        """
        with self._supervisor.lock:
            killed = process.kill_if_running(tag, (REVOKED, 0.0))
        self._supervisor.wake()
        return killed

    def interrupt_task(self, process: Process, tag: str) -> None:
        """Do with a task what its soft time limit would."""
        process.interrupt(tag)

    @property
    def num_processes(self) -> int:
        """How many children there are to be."""
        return int(self.limit)

    def _get_info(self) -> dict[str, Any]:
        processes = list(self._supervisor.processes.values())
        return {
            **_Base._get_info(self),
            "processes": [process.pid for process in processes],
            "max-tasks-per-child": self.app.conf.worker_max_tasks_per_child or "N/A",
            "timeouts": [limit or 0 for limit in self.limits],
            "finished": {str(process.pid): process.slot.done for process in processes},
        }
