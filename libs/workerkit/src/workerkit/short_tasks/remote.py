"""Remote control of a worker that runs nothing itself: it sees and stops what the children run."""

import signal
import time
from collections import UserDict
from collections.abc import Callable
from typing import Any

import structlog
from celery.worker import control, state
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from workerkit.short_tasks import address
from workerkit.short_tasks.estate import OtherHolder, request_of
from workerkit.short_tasks.process import Process
from workerkit.transport.guard import Unreadable

log = structlog.get_logger("worker")
_SHOWS_TASKS = {
    "active",
    "dump_active",
    "reserved",
    "dump_reserved",
    "query_task",
    "revoke",
    "terminate",
    "revoke_by_stamped_headers",
}


class Remote:
    """Before a command Celery's own state is brought up to date; after it the children hear what has changed.

    Args:
        pool: with the children.
        consumer: the worker's.
    """

    def __init__(self, pool: Any, consumer: Any) -> None:
        self._pool, self._consumer = pool, consumer
        self._shown: list[Any] = []
        self._revoked = set(state.revoked)
        self._stamps = dict(state.revoked_stamps)

    def look(self, command: str) -> None:
        """Bring up to date what the command shows."""
        if command == "stats":
            state.total_count.clear()
            state.total_count.update({name: n for name, n in self._pool.table.totals().items() if n})
        if command in _SHOWS_TASKS:
            self._shown = self._requests()
            for request in self._shown:
                state.task_reserved(request)
                state.active_requests.add(request)

    def count(self) -> None:
        """Have the worker's heartbeat say how many tasks were run."""
        state.all_total_count[0] = sum(self._pool.table.totals().values())

    def tell(self) -> None:
        """Let the children know what a command may have changed, and forget what it has shown."""
        for request in self._shown:  # else the worker would wait for them when it stops
            state.task_ready(request)
        self._shown = []
        events = self._consumer.event_dispatcher
        self._pool.table.events = bool(events and events.enabled and (not events.groups or "task" in events.groups))
        revoked, stamps = set(state.revoked), dict(state.revoked_stamps)
        if revoked - self._revoked or stamps != self._stamps:
            self._pool.order(revoked=sorted(revoked - self._revoked), stamps=stamps)
        self._revoked, self._stamps = revoked, stamps

    def _requests(self) -> list[Any]:
        running = self._pool.supervisor.running()
        if not running:
            return []
        try:
            found = address.find(self._consumer.app)
            link = found.connect()
        except (RedisError, OSError, OperationalError) as error:
            log.warning("what runs cannot be shown", error=str(error))
            return []
        try:
            return [request for process, tag in running for request in self._request(found, link, process, tag)]
        finally:
            link.close()

    def _request(self, found: Any, link: Any, process: Process, tag: str) -> list[Any]:
        holder = OtherHolder(found.options, process.slot.holder)
        held = holder.read(link, tag)
        if held is None or tag not in process.slot.running:
            return []
        try:
            app, hostname, events = self._consumer.app, self._consumer.hostname, self._consumer.event_dispatcher
            request = request_of(app, hostname, events, holder, tag, held, _running)
        except (Unreadable, LookupError):
            return []
        request.process, request.tag = process, tag
        request.worker_pid, request.time_start = process.pid, time.time() - process.slot.age(tag)
        return [request]


def _running(base: Any) -> Any:
    class Running(base):  # type: ignore[misc]
        """A request whose task runs in a child."""

        def terminate(self, pool: Any, signal_: Any = None, **options: Any) -> None:
            """Stop the task, if it still runs: by SIGUSR1 as its soft limit would, else as its pool does."""
            number = options.get("signal", signal_)
            if number == signal.SIGUSR1:
                pool.interrupt_task(self.process, self.tag)
            elif pool.end_task(self.process, self.tag, number):
                self._announce_revoked("terminated", True, number, False)

        def cancel(self, pool: Any, signal: Any = None, emit_retry: bool = True) -> None:
            """Nothing: the pool's end puts it back."""

    return Running


class Handlers(UserDict[str, Callable[..., Any]]):
    """Celery's commands, each with `Remote` before and after it.

    Args:
        remote: what to bring up to date.
    """

    def __init__(self, remote: Remote) -> None:
        super().__init__()
        self.data = control.Panel.data
        self._remote = remote

    def __getitem__(self, name: str) -> Callable[..., Any]:
        """The command of that name."""
        handler = super().__getitem__(name)

        def handle(*args: Any, **kwargs: Any) -> Any:
            self._remote.look(name)
            try:
                return handler(*args, **kwargs)
            finally:
                self._remote.tell()

        return handle
