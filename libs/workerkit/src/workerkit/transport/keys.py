"""The names of the Redis keys in which a service's messages are, but for the queues themselves."""

from kombu.transport.redis import Channel

_STEPS = sorted(Channel.priority_steps)


def prefix(service: str) -> str:
    """What all keys of a service begin with; its Redis user may touch these and its own queues."""
    return f"worker:{service}"


def lists(queue: str) -> list[str]:
    """The Redis lists of a queue, one for each priority, in the order in which they are worked off."""
    return [queue if step == 0 else f"{queue}{Channel.sep}{step}" for step in _STEPS]


def queue_of(name: str) -> str:
    """The queue that a Redis list belongs to."""
    return name.partition(Channel.sep)[0]
