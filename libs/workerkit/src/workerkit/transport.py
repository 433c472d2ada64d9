"""kombu's Redis transport with one repair: a worker survives the loss of its broker connection.

In kombu 5.7.0 `Channel.close()` reads the reply of a blocking pop that is still open. On a dead connection that read
raises, the channel stays half closed, and the second call finds no transport client any more: the worker exits with
`'NoneType' object has no attribute 'hostname'`. Here a failed read counts as no message, which is the truth: Redis
hands out a popped message only over a living connection.
"""

from typing import Any

from kombu.transport import redis


class Channel(redis.Channel):  # type: ignore[misc]  # kombu publishes no types
    """A channel that can be closed on a dead connection, and more than once."""

    def close(self) -> None:
        """Close; a connection that broke meanwhile is no error."""
        if self._in_poll and not self._connection_usable():
            self._in_poll = None
        try:
            super().close()
        except self.connection_errors:
            self._in_poll = None
            super().close()

    def _connection_usable(self) -> bool:
        transport: Any = self.connection
        return transport is not None and transport.client is not None


class Transport(redis.Transport):  # type: ignore[misc]  # kombu publishes no types
    """Names the repaired channel; the setting is `broker_transport`."""

    Channel = Channel
