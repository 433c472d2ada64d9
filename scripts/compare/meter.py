"""What a worker's processes and the Redis server use up."""

import contextlib
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import psutil

from devstack.valkey import Valkey

_MIB = 2**20
_OWN_COMMANDS = 4  # of each look: AUTH, two CLIENT SETINFO, INFO


@dataclass(frozen=True)
class Use:
    """What has been used up to one moment, or between two of them.

    Args:
        at: monotonic seconds.
        cpu: seconds, of the workers' processes and all below them, those that have ended included.
        server_cpu: seconds, of the Redis server.
        commands: that the server has run, those inside Lua scripts included.
    """

    at: float
    cpu: float
    server_cpu: float
    commands: int

    @classmethod
    def now(cls, pids: Iterable[int], server: Valkey) -> Self:
        """Read all meters."""
        with server.client() as client:
            commands = int(client.info("stats")["total_commands_processed"])
        return cls(time.monotonic(), cpu(pids), sum(psutil.Process(server.pid).cpu_times()[:2]), commands)

    def since(self, before: Self) -> "Use":
        """The difference."""
        return Use(
            self.at - before.at,
            self.cpu - before.cpu,
            self.server_cpu - before.server_cpu,
            max(0, self.commands - before.commands - _OWN_COMMANDS),
        )


def tree(pid: int) -> list[psutil.Process]:
    """A process and all below it, the first one first; none if it has ended."""
    try:
        main = psutil.Process(pid)
        return [main, *main.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def cpu(pids: Iterable[int]) -> float:
    """The CPU seconds of these processes, and of all below them."""
    total = 0.0
    for process in (each for pid in pids for each in tree(pid)):
        with contextlib.suppress(psutil.NoSuchProcess):  # what it used is in its parent's times by then
            total += sum(process.cpu_times()[:4])
    return total


def memory(pids: Iterable[int]) -> float:
    """The proportional set size of the workers' processes together, in MiB."""
    total = 0.0
    for process in (each for pid in pids for each in tree(pid)):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += process.memory_full_info().pss / _MIB
    return total
