"""What the parent wants of a child: from which queues to claim, what is revoked, whether to leave."""

import json
import os
import select
import socket
from typing import Any

from celery.worker import state


class Orders:
    """The child's end of the connection to its parent.

    Args:
        connection: to the parent.
    """

    def __init__(self, connection: socket.socket) -> None:
        self.queues: list[str] = []
        self.leave = False
        self.number = 0
        self.terminated: list[tuple[str, str]] = []  # tags of messages to be stopped, and the signal or "soft"
        self._connection = connection
        self._rest = b""
        connection.setblocking(False)

    def fileno(self) -> int:
        """The descriptor that is readable when there are new ones."""
        return self._connection.fileno()

    def tell(self) -> None:
        """Let the parent know that work has begun."""
        try:
            self._connection.send(b".")
        except BlockingIOError:
            return  # it has been told

    def wait(self, seconds: float) -> None:
        """Wait for new ones."""
        select.select([self._connection], [], [], max(0.0, seconds))

    def read(self) -> None:
        """Take over what has come."""
        try:
            data = self._connection.recv(65_536)
        except BlockingIOError:
            return
        if not data:  # the parent is gone
            os._exit(1)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._follow(json.loads(line))

    def _follow(self, order: dict[str, Any]) -> None:
        self.number = order["number"]
        self.queues = order.get("queues", self.queues)
        self.leave = order.get("leave", self.leave)
        self.terminated += order.get("terminated", ())
        state.revoked.update(order.get("revoked", ()))
        state.revoked_stamps.update(order.get("stamps", {}))
