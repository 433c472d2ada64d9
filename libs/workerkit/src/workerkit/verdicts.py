"""What can become of a delivered message beside being run, whatever broker it came from."""

from typing import Any

from workerkit import amqp_verdicts
from workerkit.transport.channel import Channel


def delay(message: Any, due: float) -> None:
    """Deliver it again, not before `due` (seconds since 1970); counts as no attempt and holds no slot."""
    holder = _holder(message)
    if holder is None:
        amqp_verdicts.delay(message, due)
    else:
        holder.delay(message.delivery_tag, due)


def bury(message: Any, reason: str, error: str) -> None:
    """Make it a dead letter; its caller reads a failure.

    Args:
        message: kombu's message.
        reason: one of the words in `taskclient.letters`.
        error: one line for whoever reads the letter.
    """
    holder = _holder(message)
    if holder is None:
        amqp_verdicts.bury(message, reason, error)
    else:
        holder.bury(message.delivery_tag, reason, error)


def bury_when_finished(message: Any, reason: str, error: str, *, traceback: str | None, retries: int) -> None:
    """Its task has failed for good: when it is acknowledged it becomes a dead letter."""
    holder = _holder(message)
    if holder is None:
        amqp_verdicts.bury_when_finished(message, reason, error, traceback=traceback, retries=retries)
    else:
        holder.bury_when_finished(message.delivery_tag, reason, error, traceback=traceback, retries=retries)


def park(message: Any, task: str) -> None:
    """Keep it until a worker comes that knows its task."""
    holder = _holder(message)
    if holder is None:
        amqp_verdicts.park(message, task)
    else:
        holder.decide("park", message.delivery_tag, task)


def _holder(message: Any) -> Any:
    return message.channel.qos.holder if isinstance(message.channel, Channel) else None
