"""Has chosen workers stop taking messages, and says of each when it has finished those that it holds.

The order is what keeps tasks from running twice: a worker that looks idle may take a message before it is stopped. So
it is first told to take none (Celery's remote control), has to say itself that it consumes no queue, and only what
Redis says that it holds after that counts.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from celery import Celery

from taskclient.connection import connect
from taskclient.workers import Worker, workers

_REPLY_SECONDS = 1.0
_LOOK_SECONDS = 0.5
_TELL_SECONDS = 10.0
_MISSING_SECONDS = 20.0  # a worker that starts is not known yet; one that is unknown for longer holds nothing


@dataclass
class _Leaver:
    name: str
    since: float  # monotonic; when it was chosen, or found to be another process
    ids: frozenset[str] = frozenset()  # of its processes in Redis
    node: str | None = None  # Celery's name for it
    quiet: bool = False  # it has said that it consumes no queue any more
    held: int = 0
    left: bool = False

    @property
    def idle(self) -> bool:
        """It takes nothing any more and holds nothing, or has ended."""
        if not self.ids:
            return self.quiet or time.monotonic() - self.since > _MISSING_SECONDS
        return self.quiet and self.held == 0


class ScaleIn:
    """Workers of one service on their way out; when the block ends by an error, those still there take messages again.

    A worker is named by what its id in Redis begins with: `<host>`, or `<host>:<process id>`.

    Args:
        url: the broker, a Redis.
        service: whose workers, as in `email`.
        say: gets the name of a worker and how far it is, now and then.
    """

    def __init__(self, url: str, service: str, say: Callable[[str, str], None] = print) -> None:
        self._service = service
        self._say = say
        self._redis = connect(url)
        self._app: Celery[Any] = Celery(broker=url, set_as_current=False)
        self._connection = self._app.connection_for_write()  # of its own, so that none is left in a pool
        self._leavers: list[_Leaver] = []
        self._cancelled: set[tuple[str, str]] = set()  # node, queue
        self._told_at = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if kind is not None:
                self._take_again()
        finally:
            self._connection.release()
            self._app.close()
            self._redis.close()

    def held(self, names: Iterable[str]) -> dict[str, int | None]:
        """How many messages each of them holds; None if Redis knows no such worker."""
        return {name: _held(found) if found else None for name, found in self._find(names).items()}

    def leave(self, names: Iterable[str], patience: float) -> Iterator[str]:
        """Have workers stop taking messages, and yield each one once it takes and holds none.

        Args:
            names: of the workers.
            patience: seconds; whoever holds messages for longer is not yielded.

        Raises:
            redis.RedisError, kombu.exceptions.OperationalError: Redis could not be reached.
        """
        end = time.monotonic() + patience
        self._leavers = [_Leaver(name, time.monotonic()) for name in names]
        while True:
            self._stop_taking()
            self._count()  # after it, never before
            for leaver in [leaver for leaver in self._staying() if leaver.idle]:
                yield leaver.name
                leaver.left = True  # only now: if stopping it fails, it is to take messages again
            if not self._staying() or time.monotonic() >= end:
                return
            self._tell(end - time.monotonic())
            time.sleep(_LOOK_SECONDS)

    def _staying(self) -> list[_Leaver]:
        return [leaver for leaver in self._leavers if not leaver.left]

    def _find(self, names: Iterable[str]) -> dict[str, list[Worker]]:
        present = workers(self._redis, self._service)
        return {name: [worker for worker in present if worker.id.startswith(f"{name}:")] for name in names}

    def _count(self) -> None:
        staying = {leaver.name: leaver for leaver in self._staying()}
        for name, found in self._find(staying).items():
            leaver, ids = staying[name], frozenset(worker.id for worker in found)
            leaver.held = _held(found)
            if ids - leaver.ids:  # it was restarted: the new process has been told nothing
                leaver.node, leaver.quiet, leaver.since = None, False, time.monotonic()
            leaver.ids = ids

    def _stop_taking(self) -> None:
        """Cancel what they consume; what counts is that they name no queue later, as `cancel` is answered too early."""
        self._name_nodes()
        asked = {leaver.node: leaver for leaver in self._staying() if leaver.node and not leaver.quiet}
        if not asked:
            return
        answers = self._inspect(list(asked)).active_queues() or {}
        for node, queues in answers.items():
            asked[node].quiet = not queues
            for queue in queues:
                self._cancelled.add((node, queue["name"]))
                self._app.control.cancel_consumer(queue["name"], destination=[node], connection=self._connection)

    def _name_nodes(self) -> None:
        """Find Celery's names; a worker that is busy in the solo pool does not answer until it is not."""
        unnamed = {leaver.name: leaver for leaver in self._staying() if leaver.node is None}
        found = self._find(unnamed)
        if not any(found.values()):
            return
        stats = self._inspect().stats() or {}
        nodes = {(node.partition("@")[2], pid): node for node, answer in stats.items() for pid in _pids(answer)}
        for name, processes in found.items():
            unnamed[name].ids = frozenset(worker.id for worker in processes)
            unnamed[name].node = next((nodes[w.host, w.pid] for w in processes if (w.host, w.pid) in nodes), None)

    def _inspect(self, nodes: list[str] | None = None) -> Any:
        return self._app.control.inspect(nodes, timeout=_REPLY_SECONDS, connection=self._connection)

    def _tell(self, left: float) -> None:
        if time.monotonic() - self._told_at < _TELL_SECONDS:
            return
        self._told_at = time.monotonic()
        for leaver in self._staying():
            told = "takes no more" if leaver.quiet else "has not confirmed yet that it takes no more"
            self._say(leaver.name, f"{told}, holds {leaver.held}; {left:.0f} s of patience left")

    def _take_again(self) -> None:
        staying = {leaver.node for leaver in self._staying()}
        for node, queue in self._cancelled:
            if node in staying:
                self._app.control.add_consumer(queue, destination=[node], connection=self._connection)


def _pids(stats: dict[str, Any]) -> list[int]:
    """The processes of a worker, any of which may hold messages: in some pools each claims for itself."""
    processes = stats.get("pool", {}).get("processes")
    return [stats["pid"], *(processes if isinstance(processes, list) else [])]


def _held(found: list[Worker]) -> int:
    return sum(worker.held for worker in found)
