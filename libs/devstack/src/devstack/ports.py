"""Free ports for the servers that tests, the demo and the benchmarks start."""

import random
import socket

# Below those that systems give to outgoing connections: such a one could be taken again before its server has started.
_PORTS = range(15_000, 32_000)


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on at this moment."""
    while True:
        port = random.choice(_PORTS)  # noqa: S311  - no secret
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
