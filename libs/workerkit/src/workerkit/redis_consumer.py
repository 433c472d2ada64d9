"""The worker's consumer on Redis, where the transport's holder has the messages, whatever becomes of a connection."""

from collections.abc import Iterable
from typing import Any

from celery.worker import state

from workerkit.consumer import Consumer as WorkerConsumer
from workerkit.prefork.handover import await_confirmations
from workerkit.transport import registry

_state: Any = state


class Consumer(WorkerConsumer):
    """Has what was not begun delivered again; the setting `worker_consumer` names it."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        take_ahead = getattr(self.pool, "take_ahead", None)
        if take_ahead is not None:
            take_ahead(self._returned)
            registry.hooks.room = self.pool.room
            self.on_task_request = self.controller._process_task  # not one for each process: the pool has room for more

    def call_soon_ack(self, p: Any, *args: Any, **kwargs: Any) -> Any:
        """Acknowledge now: it is an entry in the holder's books, which its next step tells Redis."""
        p(*args, **kwargs)
        return p

    def on_close(self) -> None:
        """Forget what was delivered over the lost connection and has not begun; it will be delivered again."""
        await_confirmations(self.pool)
        dropped = _tags(self._not_begun())
        super().on_close()
        for holder, _ in registry.keepers():
            holder.redeliver(dropped)

    def _not_begun(self) -> set[Any]:
        scheduled = {*_state.scheduled_requests, *self._rate_limited()}
        if getattr(self.pool, "uses_semaphore", False):  # prefork: Celery forgets what no process has accepted
            scheduled |= set(_state.reserved_requests)
        return {request for request in scheduled if request not in _state.active_requests}

    def _rate_limited(self) -> set[Any]:
        buckets = [bucket for bucket in self.task_buckets.values() if bucket]
        return {request for bucket in buckets for request, _ in bucket.contents}

    def _returned(self, requests: list[Any]) -> None:
        """The pool has not begun with these: other workers may."""
        for request in requests:
            _state.task_ready(request)
        for holder, _ in registry.keepers():
            holder.stalls += 1
            holder.redeliver(_tags(requests))


def _tags(requests: Iterable[Any]) -> set[str]:
    return {request.message.delivery_tag for request in requests}
