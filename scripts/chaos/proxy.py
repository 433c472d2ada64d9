"""A TCP proxy between workers and Redis whose connections can be reset, or forgotten as a firewall does it.

`python -m chaos.proxy <port> <target port>`: SIGUSR1 forgets all connections: they stay open, nothing passes any more,
and new ones work. SIGUSR2 resets them. To cut the network for a while, stop the process (SIGSTOP, SIGCONT).
"""

import asyncio
import contextlib
import signal
import socket
import struct
import sys

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Proxy:
    """Forwards bytes both ways.

    Args:
        target: the port on 127.0.0.1 that the bytes go to.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._pumps: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._forgotten: list[asyncio.StreamWriter] = []

    async def serve(self, port: int) -> None:
        """Serve for ever."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR1, self._forget)
        loop.add_signal_handler(signal.SIGUSR2, self._reset)
        server = await asyncio.start_server(self._accept, "127.0.0.1", port)
        await server.serve_forever()

    async def _accept(self, near_reader: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        try:
            far_reader, far = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            near.close()
            return
        self._start(near_reader, far)
        self._start(far_reader, near)

    def _start(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pump = asyncio.create_task(_pump(reader, writer))
        self._pumps[pump] = writer
        pump.add_done_callback(lambda done: self._pumps.pop(done, None))

    def _forget(self) -> None:
        self._forgotten += self._pumps.values()  # kept, or they would be closed
        for pump in list(self._pumps):
            pump.cancel()

    def _reset(self) -> None:
        for pump, writer in list(self._pumps.items()):
            connection: socket.socket = writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            pump.cancel()
            writer.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


if __name__ == "__main__":
    asyncio.run(Proxy(int(sys.argv[2])).serve(int(sys.argv[1])))
