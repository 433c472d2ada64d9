"""kombu's Redis transport, hardened: the setting `broker_transport` names this class.

How to find one's way: a `Channel` that consumes a task queue gets a `Feeder`, which runs in the event loop. It asks
the process's `Holder` for a step (`lua/step.lua`: renew the lease, carry out verdicts, claim) over a `Link`, has
`guard` read what was claimed, and delivers it. The `Keeper` is a thread that renews the lease, takes over from dead
workers and moves delayed messages (`lua/tick.lua`). `registry` hands the holder to the next channel after a reconnect.

What it touches of kombu beyond its documented interface, all of it pinned by kombu's version and by
`tests/unit/test_transport_kombu.py`:

- `MultiChannelPoller._fd_to_chan`, `fds`, `poller`, `eventflags`; `Channel.handlers`, `_in_poll`, `_connparams`
- `Channel.active_queues`, `_basic_cancel`, `_tag_to_queue`, `_fanout_queues`, `_disconnect_pools`, `_put_fanout`,
  `_get_publish_topics`, `_update_queue_cycle`
- `Channel._create_client`, `conn_or_acquire`, `_receive_one`
- `virtual.QoS._on_collect`; `virtual.Transport._callbacks`; `virtual.Message._decoded_cache`
- `Transport.register_with_event_loop`; `Channel.sep` and `priority_steps`
"""

from contextlib import suppress
from typing import Any

from kombu.transport import redis

from workerkit.transport.channel import CLAIM, Channel

_Poller: Any = redis.MultiChannelPoller  # the stubs leave out the parts that are not public
_Transport: Any = redis.Transport


class Poller(_Poller):  # type: ignore[misc]
    """Also watches the descriptors of feeders."""

    loop: Any = None  # the event loop, in a worker

    @property
    def fds(self) -> Any:
        """What kombu is to hand to the event loop at each turn: what the loop does not watch yet."""
        watched = self.loop.readers if self.loop is not None else ()
        return {descriptor: each for descriptor, each in super().fds.items() if descriptor not in watched}

    def watch(self, channel: Channel, thing: Any) -> None:
        """Call the channel's feeder when `thing` is readable."""
        self._fd_to_chan[thing.fileno()] = (channel, CLAIM)
        self.poller.register(thing, self.eventflags)

    def unwatch(self, thing: Any) -> None:
        """Stop watching; to be called before it is closed."""
        descriptor = thing.fileno()
        self._fd_to_chan.pop(descriptor, None)
        with suppress(KeyError, ValueError, OSError):
            self.poller.unregister(descriptor)
        if self.loop is not None and descriptor in self.loop.readers:
            self.loop.remove(descriptor)


class Transport(_Transport):  # type: ignore[misc]
    """Names the channel and the poller."""

    Channel = Channel

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cycle = Poller()

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:
        """Let the worker's event loop watch all descriptors."""
        super().register_with_event_loop(connection, loop)
        self.cycle.loop = loop
