"""Puts the pool's children in the place of the worker's task consumer."""

from functools import partial
from typing import Any

import kombu
from celery import bootsteps
from celery.worker.consumer.control import Control

from workerkit.short_tasks.process import Process
from workerkit.short_tasks.remote import Handlers, Remote
from workerkit.timers import Repeated

_LOOK_SECONDS = 0.1
_COUNT_SECONDS = 1.0
_Consumer: Any = kombu.Consumer  # the stubs leave out the parts that are not public


class TaskConsumer(_Consumer):  # type: ignore[misc]
    """Claims nothing itself: it tells the children which queues to claim from.

    Args:
        pool: with the children.
    """

    def __init__(self, pool: Any, *args: Any, **options: Any) -> None:
        self.lost = False  # the parent's connection broke; the children have their own
        self._pool = pool
        super().__init__(*args, **options)

    def consume(self, no_ack: bool | None = None) -> None:  # noqa: ARG002  - kombu's signature
        """Have the children claim from all queues."""
        self._active_tags.update({queue.name: queue.name for queue in self.queues})
        self._pool.claim_from(list(self._active_tags))

    def cancel(self) -> None:
        """Have the children claim no more, unless only the connection was lost."""
        self._active_tags.clear()
        if not self.lost:
            self._pool.claim_from([])

    close = cancel

    def cancel_by_queue(self, queue: Any) -> None:
        """Have the children claim from that queue no more."""
        name = getattr(queue, "name", queue)
        self._active_tags.pop(name, None)
        self._queues.pop(name, None)
        self._pool.claim_from(list(self._active_tags))


class Unfinished:
    """A child that was told to stop claiming; among Celery's reserved requests, so that the worker waits for it."""

    def __init__(self, pool: Any, process: Process, number: int) -> None:
        self.id = f"process {process.pid}"
        self._pool, self._process, self._number = pool, process, number

    def is_over(self) -> bool:
        """It has finished and acknowledged all it had, or is dead."""
        slot = self._process.slot
        if self._process is not self._pool.supervisor.processes.get(self._process.index):
            return not self._pool.supervisor.estates
        return slot.orders >= self._number and not slot.held and not slot.running

    def info(self, safe: bool = False) -> dict[str, Any]:  # noqa: ARG002  - Celery's signature
        """What remote control shows of it."""
        return {"id": self.id, "worker_pid": self._process.pid}


def install(app: Any, pool: Any) -> None:
    """Have the application's worker consume by the pool's children.

    Args:
        app: before its worker's consumer is made.
        pool: the worker's.
    """
    app.amqp.Consumer = partial(TaskConsumer, pool)
    app.steps["consumer"].add(_step(pool))


def _step(pool: Any) -> type[bootsteps.StartStopStep]:
    class ShortTasks(bootsteps.StartStopStep):
        requires = ("celery.worker.consumer.tasks:Tasks", "celery.worker.consumer.control:Control")

        def __init__(self, c: Any, **options: Any) -> None:
            super().__init__(c, **options)
            self._repeated = Repeated()

        def start(self, c: Any) -> None:
            remote = Remote(pool, c)
            remote.tell()
            for control in (step for step in c.steps if isinstance(step, Control)):
                vars(control)["box"].node.handlers = Handlers(remote)
            self._repeated.begin(c.timer, (_LOOK_SECONDS, pool.settle_unfinished), (_COUNT_SECONDS, remote.count))

        def stop(self, c: Any) -> None:
            if c.connection is None and c.task_consumer is not None:
                c.task_consumer.lost = True

    return ShortTasks
