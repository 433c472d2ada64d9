"""Connections that break instead of repeating: a claim that is silently sent again would claim twice."""

import socket
import ssl
from collections.abc import Iterable, Sequence
from typing import Any

from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError
from redis.retry import Retry

from workerkit.transport.scripts import Script

_MOST_UNANSWERED = 1


class Link:
    """One connection to Redis; after an error it is closed for good.

    Args:
        connection_class: redis-py's class of connection, with or without TLS.
        options: its arguments, as kombu derives them from the broker's URL.
    """

    def __init__(self, connection_class: type[Any], options: dict[str, Any]) -> None:
        own = {"retry": Retry(NoBackoff(), 0), "retry_on_timeout": False, "health_check_interval": 0, "protocol": 2}
        self._connection: Any = connection_class(**options | own)
        self._connection.connect()

    def run(self, script: Script, keys: Sequence[str], args: Iterable[Any]) -> Any:
        """Run a script and return its reply.

        Raises:
            redis.RedisError: no reply came, or the script failed; in both cases it may have done its work.
        """
        rest = [len(keys), *keys, *args]
        try:
            return self.command("EVALSHA", script.sha, *rest)
        except NoScriptError:  # nothing was done: the server has not seen it since it started
            return self.command("EVAL", script.text, *rest)

    def command(self, *words: Any) -> Any:
        """Send one command and return its reply."""
        self._connection.send_command(*words)
        return self._connection.read_response()

    def close(self) -> None:
        """Close; what Redis still sends is lost."""
        self._connection.disconnect()


class WakeUp(Link):
    """Tells when somebody pushes to a list that `link` has looked into and found empty.

    Redis' client tracking does it: a script on `link` reads the lists' lengths, and Redis writes to this connection
    when one of them changes. Nothing is taken out by waiting, so nothing can be lost by it.
    """

    def __init__(self, connection_class: type[Any], options: dict[str, Any], link: Link) -> None:
        super().__init__(connection_class, options)
        number = self.command("CLIENT", "ID")
        self.command("SUBSCRIBE", "__redis__:invalidate")
        link.command("CLIENT", "TRACKING", "ON", "REDIRECT", number, "NOLOOP")
        self._socket: socket.socket = self._connection._sock
        self._unanswered = 0

    def fileno(self) -> int:
        """The descriptor that is readable after a push."""
        return self._socket.fileno()

    def drain(self) -> None:
        """Forget what came.

        Raises:
            redis.ConnectionError: the connection is gone.
        """
        self._unanswered = 0
        self._socket.setblocking(False)
        try:
            while self._socket.recv(65_536):
                pass
        except (BlockingIOError, ssl.SSLWantReadError):
            return
        except OSError as error:
            raise RedisConnectionError(str(error)) from error
        raise RedisConnectionError("Redis closed the connection that wakes the worker")

    def check(self) -> None:
        """Ask for a sign of life; to be called every few seconds.

        Raises:
            redis.ConnectionError: the last ones were not answered.
        """
        if self._unanswered > _MOST_UNANSWERED:
            raise RedisConnectionError("the connection that wakes the worker is silent")
        self._unanswered += 1
        self._socket.setblocking(True)
        self._socket.settimeout(1.0)
        self._connection.send_command("PING")
