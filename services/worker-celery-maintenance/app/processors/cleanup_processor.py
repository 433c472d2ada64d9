"""Runs all steps of a cleanup, whatever becomes of each, and reports what they did."""

from collections.abc import Callable, Mapping

import structlog
from pydantic import BaseModel

from workerkit.errors import PermanentError, TransientError

log = structlog.get_logger("task")


class CleanupReport(BaseModel):
    """How many of each were removed, or deactivated in the case of users."""

    log_entries: int = 0
    users: int = 0
    artifacts: int = 0
    results: int = 0
    jobs: int = 0
    staging_tables: int = 0
    effects: int = 0


class CleanupProcessor:
    """Runs steps one after the other; a failure of one does not keep the others from running.

    Args:
        steps: what to run for each field of the report; returns the count.
        progress: gets how many steps are done, how many there are, and the name of the next.
        final: errors that end everything at once, such as that of a time limit.
    """

    def __init__(
        self,
        steps: Mapping[str, Callable[[], int]],
        progress: Callable[[float, float, str], None],
        final: tuple[type[Exception], ...] = (),
    ) -> None:
        self._steps, self._progress, self._final = steps, progress, final

    def run(self) -> CleanupReport:
        """Run all steps.

        Raises:
            TransientError: some failed, all of them in a way that may pass.
            PermanentError: some failed, not all of them in a way that may pass.
        """
        counts: dict[str, int] = {}
        failures: dict[str, Exception] = {}
        for number, (name, step) in enumerate(self._steps.items()):
            self._progress(number, len(self._steps), name)
            try:
                counts[name] = step()
            except self._final:
                raise
            except Exception as error:  # a bug too: it must not stop the others
                failures[name] = error
                log.exception("cleanup step failed", step=name)
        self._progress(len(self._steps), len(self._steps), "done")
        if failures:
            raise _failed(failures, counts)
        return CleanupReport(**counts)


def _failed(failures: Mapping[str, Exception], counts: Mapping[str, int]) -> Exception:
    reasons = "; ".join(f"{name}: {type(error).__name__}: {_sentence(error)}" for name, error in failures.items())
    done = ", ".join(f"{name} {count}" for name, count in counts.items()) or "nothing"
    message = f"{len(failures)} of {len(failures) + len(counts)} steps failed: {reasons}. The others were done: {done}"
    transient = all(isinstance(error, TransientError) for error in failures.values())
    return TransientError(message) if transient else PermanentError(message)


def _sentence(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0]  # what follows, such as an SQL statement, stands in the log
