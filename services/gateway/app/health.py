"""The gateway's health: it answers, and so does Redis. `python -m app.health` exits 0 or 1.

Docker runs it every few seconds in each container, so it imports next to nothing: urllib alone would cost ten times as
much as all the rest.
"""

import os
import socket
import sys

_SECONDS = 2.0  # for the answer


def problem(port: int) -> str | None:
    """Ask the gateway on this machine.

    Args:
        port: where it listens.

    Returns:
        None if all is well, else one sentence that says what is wrong.
    """
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=_SECONDS) as connection:
            connection.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
            answer = b"".join(iter(lambda: connection.recv(4096), b""))
    except OSError as error:
        return f"port {port}: {error}"
    return None if b'"redis":true' in answer else f"Redis does not answer: {answer[-100:]!r}"


if __name__ == "__main__":
    sys.exit(problem(int(os.environ.get("GATEWAY_PORT") or 8080)))
