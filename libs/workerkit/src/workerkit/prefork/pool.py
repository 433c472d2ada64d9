"""Celery's pool of processes, which does not wait for one trip to a process and back for each task; the default pool.

Celery writes a task into a process's pipe in the turn of the loop after the one in which the task came, and only when
the process has none. Here it is written at once. While tasks are short, some wait in the pipe of their process: the
main process takes them back when the one before them turns out to be long, and when the connection is lost.
"""

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pickle import HIGHEST_PROTOCOL, dumps, loads
from select import PIPE_BUF
from struct import Struct
from typing import Any

from celery.concurrency import asynpool, prefork

from workerkit.prefork.pipes import Jobs, Reports
from workerkit.prefork.reports import ResultHandler, Worker

MOST_IN_LINE = 8  # for one process, with the one that it runs; more made no difference
_SHORT_SECONDS = 0.01  # others may wait behind a task that has not run for longer
_LONG_SECONDS = 0.05  # nobody waits behind a task that has
_LOOK_SECONDS = 0.025
_LENGTH = Struct(">I")
_AsynPool: Any = asynpool.AsynPool  # the stubs leave out the parts that are not public


class Processes(_AsynPool):  # type: ignore[misc]
    """Celery's pool in the worker's main process.

    A job is in `outbound_buffer` until it is written, then in the `line` of its process until that has finished it.
    """

    ResultHandler = ResultHandler
    Worker = Worker
    on_returned: Callable[[list[Any]], None] | None = None  # takes requests that no process has begun; else none wait
    _looking = False

    def WorkerProcess(self, worker: Any) -> Any:  # noqa: N802  - Celery's name
        """A process, with the jobs it was given, and the moment when it began the first one (monotonic seconds)."""
        process = super().WorkerProcess(worker)
        process.line, process.since = deque(), 0.0
        return process

    def create_process_queues(self) -> tuple[Jobs, Reports, None]:
        """The pipes for a process."""
        reports = Reports()
        return Jobs(reports), reports, None

    def destroy_queues(self, queues: Any, proc: Any) -> Any:
        """Close the pipes of a process that has ended."""
        removed = super().destroy_queues(queues, proc)
        queues[0].close_turn()
        return removed

    def _process_register_queues(self, proc: Any, queues: Any) -> None:
        queues[1].renew()
        super()._process_register_queues(proc, queues)

    def _create_write_handlers(self, hub: Any, *args: Any, **options: Any) -> None:
        super()._create_write_handlers(hub, *args, **options)
        self._call_later, self._write_large = hub.call_later, hub.consolidate_callback
        self._quick_put, self.on_poll_start = self._put, self._fill  # what a lost process left goes out in a turn
        self._looking = False  # a new connection begins with no timers
        self._look_soon()

    def _put(self, message: Any) -> None:
        job = self._cache[message[1][0]]
        body = dumps(message, protocol=HIGHEST_PROTOCOL)
        job._payload = memoryview(_LENGTH.pack(len(body))), memoryview(body), len(body)
        if self.outbound_buffer or not self._place(job):
            self.outbound_buffer.append(job)
            self._look_soon()

    def _fill(self) -> None:
        """Write what waits, as far as there is room."""
        outbound = self.outbound_buffer
        while outbound:
            job = outbound.popleft()
            if not (job._accepted or _is_revoked(job) or self._place(job)):
                outbound.appendleft(job)
                self._look_soon()
                break

    def _place(self, job: Any) -> bool:
        """Write a job to a process that has none, else to one that will soon be done; False if there is neither."""
        now = time.monotonic()
        ready = list(self._ready())
        process = next((process for process in ready if not process.line), None)
        if _LENGTH.size + job._payload[2] > PIPE_BUF:  # a pipe need not take it whole
            return process is not None and self._write_large_one(process, job, now)
        return self._write(process or self._shortest_line(ready, now), job, now)

    def _ready(self) -> Iterator[Any]:
        """The processes to which something may be written now."""
        for descriptor, process in self._fileno_to_inq.items():
            if descriptor not in self._active_writes and (process.line or descriptor not in self._busy_workers):
                yield process

    def _shortest_line(self, processes: list[Any], now: float) -> Any:
        if self.on_returned is None:
            return None
        free = [process for process in _quick(processes, now) if len(process.line) < MOST_IN_LINE]
        return min(free, key=lambda process: len(process.line), default=None)

    def _write(self, process: Any, job: Any, now: float) -> bool:
        if process is None:
            return False
        try:
            os.write(process.inqW_fd, b"".join(job._payload[:2]))
        except OSError:  # it is full, or the process has just ended
            return False
        job._write_to = job._scheduled_for = process
        self._busy_workers.add(process.inqW_fd)
        self.write_stats[process.index] += 1
        self._in_line(process, job, now)
        return True

    def _write_large_one(self, process: Any, job: Any, now: float) -> bool:
        """As Celery does: it takes the first job that waits, and goes on when the pipe has room again."""
        self.outbound_buffer.appendleft(job)
        self._write_large([process.inqW_fd])
        if job._scheduled_for is not process:
            self.outbound_buffer.remove(job)
            return False
        self._in_line(process, job, now)
        return True

    def _in_line(self, process: Any, job: Any, now: float) -> None:
        process.line.append(job)
        if len(process.line) == 1:
            process.since = now
        else:
            self._look_soon()

    def on_job_ready(self, job: int, i: Any, obj: Any, inqW_fd: int) -> None:  # noqa: ARG002, N803  - Celery's signature
        """A process has finished the job of this number; it begins the next one that it has."""
        process = self._fileno_to_inq.get(inqW_fd)
        if process is None:
            return
        process.since = time.monotonic()
        if process.line and process.line[0]._job == job:
            process.line.popleft()
        else:  # it was forgotten, with a connection that was lost
            process.line = deque(other for other in process.line if other._job != job)
        if not process.line:
            self._busy_workers.discard(inqW_fd)

    def room(self) -> int:
        """How many jobs may wait in pipes, beside those that run: none behind a task that takes long."""
        if self.on_returned is None:
            return 0
        return len(_quick(self._fileno_to_inq.values(), time.monotonic())) * (MOST_IN_LINE - 1)

    def _look_soon(self) -> None:
        if not self._looking and self.on_returned is not None:
            self._looking = True
            self._call_later(_LOOK_SECONDS, self._look)

    def _look(self) -> None:
        """Nobody is to wait behind a long task, nor here while another worker may be idle."""
        self._looking = False
        long_ago = time.monotonic() - _LONG_SECONDS
        for process in self._fileno_to_inq.values():
            if len(process.line) > 1 and process.since < long_ago:
                self._take_back(process)
        self._fill()
        self._return_surplus()
        if self.outbound_buffer or any(len(process.line) > 1 for process in self._fileno_to_inq.values()):
            self._look_soon()

    def take_back(self) -> None:
        """Take back from all processes what they have not begun; it waits here."""
        for process in self._fileno_to_inq.values():
            self._take_back(process)

    def _take_back(self, process: Any) -> None:
        if process.inqW_fd in self._active_writes:
            return
        numbers = {loads(message)[1][0] for message in process.inq.take_back(process._is_alive)}  # noqa: S301
        back = [job for job in process.line if job._job in numbers]
        process.line = deque(job for job in process.line if job._job not in numbers)
        for job in reversed(back):
            job._write_to = job._scheduled_for = None
            self.outbound_buffer.appendleft(job)

    def _return_surplus(self) -> None:
        """Give back the requests that wait here, but for as many as there are processes that start just now."""
        if self.on_returned is None:
            return
        starting = self._processes - sum(bool(process.line) for process in self._fileno_to_inq.values())
        surplus = [job for job in list(self.outbound_buffer)[max(0, starting) :] if _request_of(job) is not None]
        for job in surplus:
            self.outbound_buffer.remove(job)
            job.discard()
        if surplus:
            self.on_returned([_request_of(job) for job in surplus])

    def process_flush_queues(self, proc: Any) -> None:
        """Take what a process that has ended had reported."""
        reader = proc.outq._reader
        while not reader.closed and reader.poll(0) and self._result_handler.take(proc):
            pass

    def flush(self) -> None:
        """The connection is lost: forget what no process has begun."""
        super().flush()
        for process in self._fileno_to_inq.values():
            process.line = deque(job for job in process.line if job._accepted)


def _quick(processes: Iterable[Any], now: float) -> list[Any]:
    """Those behind whose task others may wait."""
    return [process for process in processes if now - process.since < _SHORT_SECONDS]


def _request_of(job: Any) -> Any:
    return getattr(job._callback, "__self__", None)


def _is_revoked(job: Any) -> bool:
    """Whether the request was revoked or has expired while it waited; if so, it is settled."""
    request = _request_of(job)
    if request is None or not request.revoked():
        return False
    job.discard()
    return True


class TaskPool(prefork.TaskPool):
    """Celery's pool as the worker sees it."""

    Pool = Processes
    _on_returned: Callable[[list[Any]], None] | None = None

    def take_ahead(self, on_returned: Callable[[list[Any]], None]) -> None:
        """Let requests wait in the pipes of processes while tasks are short; before the pool starts.

        Args:
            on_returned: gets requests that would wait for long; no process has begun them, and they are forgotten here.
        """
        self._on_returned = on_returned

    def on_start(self) -> None:
        """Start the processes."""
        super().on_start()
        self._processes.on_returned = self._on_returned

    def room(self) -> int:
        """How many requests may be given to the pool now, beside one for each process."""
        room: int = self._processes.room()
        return room

    @property
    def _processes(self) -> Any:
        return vars(self)["_pool"]
