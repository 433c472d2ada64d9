"""kombu's Redis transport with one repair: a worker survives the loss of its broker connection.

In kombu 5.7.0 `Channel.close()` first reads the reply of a blocking pop that is still open. On a dead connection that
read raises, and the channel stays half closed; when it is closed again, it finds no transport client any more, and the
worker exits with `'NoneType' object has no attribute 'hostname'`. Here a failed read counts as no message, which is
the truth: Redis hands out a popped message only over a living connection.
"""

from kombu.transport import redis


class Channel(redis.Channel):
    """A channel that can be closed on a dead connection."""

    def close(self) -> None:
        """Close; a connection that broke meanwhile is no error."""
        try:
            super().close()
        except self.connection_errors:  # type: ignore[attr-defined]  # set by kombu, not in its stubs
            self._in_poll = None  # nothing to read any more, so this time it closes
            super().close()


class Transport(redis.Transport):
    """Names the repaired channel; the setting is `broker_transport`."""

    Channel = Channel
