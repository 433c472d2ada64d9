"""Which messages a channel's consumer has, kept by the process's holder instead of by kombu."""

from typing import Any

from kombu.transport import virtual

from taskclient.letters import FAILED
from workerkit.transport.holder import Holder

_QoS: Any = virtual.QoS  # the stubs leave out the parts that are not public


class QoS(_QoS):  # type: ignore[misc]
    """kombu's way to acknowledge, without any command to Redis: the next step carries all of them.

    It goes on to work when its channel is closed, so a task that outlives its connection is still acknowledged.
    """

    holder: Holder | None = None  # set when the channel begins to consume task queues

    def __init__(self, channel: Any, prefetch_count: int = 0) -> None:
        super().__init__(channel, prefetch_count)
        self._on_collect.cancel()  # nothing to put back when Python collects it: the lease looks after that

    def can_consume(self) -> bool:
        """Always, as far as kombu asks: how many messages are delivered is up to the feeder."""
        return True

    def append(self, message: Any, delivery_tag: str) -> None:
        """Nothing to do: the holder has known the message since it was claimed."""

    def ack(self, delivery_tag: str) -> None:
        """The message is finished."""
        if self.holder is not None:
            self.holder.ack(delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """The message was not run to its end: `requeue` counts as a crash, else it becomes a dead letter."""
        if self.holder is None:
            return
        if requeue:
            self.holder.decide("crash", delivery_tag)
        else:
            self.holder.bury(delivery_tag, FAILED, "rejected without being put back")

    def restore_unacked(self) -> list[Any]:
        """Nothing: a closed channel's tasks may still run."""
        return []

    def restore_unacked_once(self, stderr: Any = None) -> None:
        """Nothing: a closed channel's tasks may still run."""
