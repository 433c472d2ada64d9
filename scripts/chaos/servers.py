"""The servers that faults happen to: a Redis with stock settings, and a network between it and the workers."""

import contextlib
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from devstack.ports import free_port
from devstack.process import ManagedProcess
from devstack.valkey import Valkey

_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder with a name of its own is made there


def memory_folder(folder: Path) -> Path:
    """A new folder in memory, or below `folder` where the machine has no such file system."""
    return Path(tempfile.mkdtemp(prefix="chaos-", dir=_MEMORY if _MEMORY.is_dir() else folder))


class _MemoryValkey(Valkey):
    """Valkey with other settings, whose data are in memory where the machine has such a file system.

    A process is killed here, not a machine, so nothing depends on the disk, and a slow one would measure itself.
    """

    settings: tuple[str, ...] = ()

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._data = memory_folder(folder)
        with (folder / "valkey.conf").open("a") as config:  # the last line of a setting counts
            config.writelines(f"{line}\n" for line in (f"dir {self._data}", *self.settings))

    def forget(self) -> None:
        """Remove the data."""
        shutil.rmtree(self._data, ignore_errors=True)


class StockValkey(_MemoryValkey):
    """Valkey as it comes: no append-only file, snapshots after 60 seconds and more."""

    settings = ("appendonly no", "save 3600 1 300 100 60 10000")


class SafeValkey(_MemoryValkey):
    """Valkey with the template's settings, that writes each change to the file before it answers."""

    settings = ("appendfsync always",)


class Network(ManagedProcess):
    """The proxy process between workers and a server.

    Args:
        server: what lies behind it.
        folder: gets its log.
    """

    def __init__(self, server: Valkey, folder: Path) -> None:
        self.port = free_port()
        parts = urlsplit(server.url)
        credentials = parts.netloc.rpartition("@")[0]
        self.url = parts._replace(netloc=f"{credentials}@127.0.0.1:{self.port}").geturl()
        argv = [sys.executable, "-m", "chaos.proxy", str(self.port), str(server.port)]
        super().__init__("network", argv, log=folder / "network.log", ready=self._listens)

    def forget(self) -> None:
        """Let nothing pass on the connections that are open now."""
        os.kill(self.pid, signal.SIGUSR1)

    def reset(self) -> None:
        """Reset the connections that are open now."""
        os.kill(self.pid, signal.SIGUSR2)

    def _listens(self) -> bool:
        with contextlib.suppress(psutil.Error):
            return any(each.laddr.port == self.port for each in psutil.Process(self.pid).net_connections("tcp"))
        return False


@contextmanager
def stopped(process: ManagedProcess) -> Iterator[None]:
    """Stop a process by SIGSTOP while the block runs."""
    os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process.pid, signal.SIGCONT)
