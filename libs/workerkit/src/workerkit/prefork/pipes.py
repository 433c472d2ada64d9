"""The two pipes of a pool's process: jobs come by one, reports about them go by the other.

Both hold Celery's frames: four bytes of length, then a pickle. What differs is how they are read and written: a job
that its process has not read can be taken back, and reports are written and read several at a time.
"""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from fcntl import LOCK_EX, LOCK_NB, LOCK_UN, ioctl, lockf
from select import POLLIN, poll
from struct import Struct
from tempfile import TemporaryFile
from termios import FIONREAD
from typing import Any

from billiard import pool, queues

_Pipe: Any = vars(queues)["_SimpleQueue"]  # not in the stubs, as what follows
_dumps: Any = vars(queues)["ForkingPickler"].dumps
_READY: Any = vars(pool)["READY"]
_LENGTH = Struct(">i")
_AT_ONCE = 32 * 1024  # bytes of reports read in one go
_MOST_KEPT = 32 * 1024  # bytes of reports written later


class Reports(_Pipe):  # type: ignore[misc]
    """From the process: that it is up, has begun a job, has finished one, will end."""

    def __init__(self) -> None:
        super().__init__(rnonblock=True)
        self._kept = bytearray()
        self._unread = bytearray()

    def put(self, report: Any) -> None:
        """In the process: send a report; that a job is finished goes along with the next one, or with `flush`."""
        pickled = _dumps(report)
        self._kept += _LENGTH.pack(len(pickled))
        self._kept += pickled
        if report[0] != _READY or len(self._kept) > _MOST_KEPT:
            self.flush()

    def flush(self) -> None:
        """In the process: send what is kept."""
        while self._kept:
            del self._kept[: os.write(self._writer.fileno(), self._kept)]

    def renew(self) -> None:
        """In the main process: the pipe is another process's from now on; what its last one half wrote is forgotten."""
        self._unread.clear()

    def read(self) -> list[bytearray]:
        """In the main process: the pickled reports that are there, without waiting.

        Raises:
            EOFError: nobody can write any more.
        """
        try:
            new = os.read(self._reader.fileno(), _AT_ONCE)
        except BlockingIOError:
            return []
        if not new:
            raise EOFError
        self._unread += new
        return _frames(self._unread)


class Jobs(_Pipe):  # type: ignore[misc]
    """To the process: its next jobs.

    Args:
        reports: the process's other pipe; what is kept there is sent before the process waits for a job.
    """

    def __init__(self, reports: Reports) -> None:
        super().__init__(wnonblock=True)
        self._reports = reports
        # Held by the process while it reads. The lock of a process that is killed is free, which a semaphore is not.
        self._turn: int | None = _lock_file()
        self._there = poll()
        self._there.register(self._reader.fileno(), POLLIN)

    def get_payload(self) -> bytes:
        """In the process: the next job, pickled; waits for it."""
        assert self._turn is not None  # noqa: S101  - only the main process closes it
        lockf(self._turn, LOCK_EX)
        try:
            if not self._there.poll(0):
                self._reports.flush()
            (length,) = _LENGTH.unpack(self._read(_LENGTH.size))
            return self._read(length)
        finally:
            lockf(self._turn, LOCK_UN)

    def _read(self, length: int) -> bytes:
        found = b""
        while len(found) < length:
            more = os.read(self._reader.fileno(), length - len(found))
            if not more:
                raise EOFError
            found = found + more if found else more
        return found

    def take_back(self, is_alive: Callable[[], bool]) -> list[bytearray]:
        """In the main process: take out the jobs that the process has not read, pickled; none while it is reading.

        The last one must have been written to its end.

        Args:
            is_alive: says whether the process is; one that was killed while it read has left part of a job.
        """
        assert self._turn is not None  # noqa: S101  - for the type checker
        try:
            lockf(self._turn, LOCK_EX | LOCK_NB)
        except OSError:
            return []
        try:
            if not is_alive():
                return []
            unread = int.from_bytes(ioctl(self._reader.fileno(), FIONREAD, bytes(4)), sys.byteorder)
            return _frames(bytearray(self._read(unread)))
        finally:
            lockf(self._turn, LOCK_UN)

    def close_turn(self) -> None:
        """In the main process: nobody will read any more."""
        turn, self._turn = self._turn, None
        if turn is not None:
            with suppress(OSError):
                os.close(turn)


def _lock_file() -> int:
    if hasattr(os, "memfd_create"):  # Linux
        return os.memfd_create("jobs")  # needs no folder that can be written to
    with TemporaryFile() as file:
        return os.dup(file.fileno())


def _frames(data: bytearray) -> list[bytearray]:
    """Take the frames that are whole out of the beginning of `data`."""
    found = []
    at = 0
    while len(data) - at >= _LENGTH.size:
        begin = at + _LENGTH.size
        end = begin + _LENGTH.unpack_from(data, at)[0]
        if end > len(data):
            break
        found.append(data[begin:end])
        at = end
    del data[:at]
    return found
