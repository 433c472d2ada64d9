"""The keys that count now: the file of keys is read again when it has changed, so a key is taken back at once."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from app.keys import ApiKey, Keys

LOOK_SECONDS: Final = 1.0
log = structlog.get_logger("gateway")


class KeyRing:
    """Keys, of which some are in a file.

    Args:
        read: reads all of them.
        file: the file; None if there is none.
        now: seconds of a clock that only goes forward.
    """

    def __init__(self, read: Callable[[], Keys], file: Path | None, now: Callable[[], float] = time.monotonic) -> None:
        self._read, self._file, self._now = read, file, now
        self._state, self._looked_at = self._state_of_file(), now()
        self._keys = read()

    def of_secret(self, secret: str) -> ApiKey | None:
        """As `Keys.of_secret`."""
        return self._current().of_secret(secret)

    def of_id(self, key_id: str) -> ApiKey | None:
        """As `Keys.of_id`."""
        return self._current().of_id(key_id)

    def _current(self) -> Keys:
        if self._file is not None and self._now() - self._looked_at >= LOOK_SECONDS:
            self._looked_at = self._now()
            self._look()
        return self._keys

    def _look(self) -> None:
        """A file that cannot be read, as while it is written, changes nothing."""
        state = self._state_of_file()
        if state == self._state:
            return
        self._state = state
        try:
            self._keys = self._read()
        except ValueError as error:
            log.error("the API keys cannot be read, the last ones count", error=str(error))  # noqa: TRY400
        else:
            log.info("the API keys were read again", keys=len(self._keys))

    def _state_of_file(self) -> tuple[int, int, int] | None:
        try:
            found = self._file.stat() if self._file else None
        except OSError:
            return None
        return (found.st_mtime_ns, found.st_size, found.st_ino) if found else None
