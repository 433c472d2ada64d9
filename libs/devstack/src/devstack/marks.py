"""A mark in the environment of a process, by which all that descends from it is found, whatever became of it."""

import uuid
from contextlib import suppress

import psutil

_VARIABLE = "RUN_MARK"


class Mark:
    """A new mark; start the first process with `environment` in its own."""

    def __init__(self) -> None:
        self._value = str(uuid.uuid4())
        self.environment = {_VARIABLE: self._value}

    def processes(self) -> list[psutil.Process]:
        """All processes that have it and have not ended."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get(_VARIABLE) == self._value and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def names(self) -> set[str]:
        """The names of their programs, of those that still run."""
        found = set()
        for process in self.processes():
            with suppress(psutil.Error):
                found.add(process.name())
        return found
