"""A task's request in the worker's main process: a task that failed for good leaves a dead letter."""

from collections.abc import Callable
from typing import Any

import structlog
from billiard import einfo
from billiard.exceptions import Terminated, WorkerLostError
from celery.exceptions import Ignore, Reject, Retry
from celery.worker.request import Request as CeleryRequest
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from taskclient.letters import FAILED, REFUSED, TIME_LIMIT
from workerkit import verdicts
from workerkit.errors import InvalidPayload

log = structlog.get_logger("worker")
_NOT_FINAL = (Retry, Ignore, Reject, Terminated, SystemExit, KeyboardInterrupt)  # Reject is told to the channel itself
_TRACEBACK_LENGTH = 16_384  # characters
_WithTraceback: Any = vars(einfo)["ExceptionWithTraceback"]  # not in the stubs


class Request(CeleryRequest):
    """Celery's request; `WorkerTask.Request` names it."""

    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> Any:
        """As Celery, after noting what the dead letter will say if this is the end."""
        error = exc_info.exception
        if isinstance(error, _WithTraceback):
            error = error.exc
        if not isinstance(error, (*_NOT_FINAL, WorkerLostError)):
            reason = REFUSED if isinstance(error, InvalidPayload) else FAILED
            self._note(reason, f"{type(error).__name__}: {error}", str(exc_info.traceback or ""))
        return self._settled(lambda: super(Request, self).on_failure(exc_info, send_failed_event, return_ok))

    def on_timeout(self, soft: bool, timeout: float) -> None:
        """As Celery; a hard time limit is the end."""
        if not soft:
            self._note(TIME_LIMIT, f"ran into its hard time limit of {timeout} s", None)
        self._settled(lambda: super(Request, self).on_timeout(soft, timeout))

    def _settled(self, settle: Callable[[], Any]) -> Any:
        """Let Celery settle it; what it cannot settle becomes a dead letter, or it would be held for ever."""
        try:
            return settle()
        except (RedisError, OSError, OperationalError):  # the broker is away: it will be delivered again
            raise
        except Exception as error:
            log.exception("the end of a task could not be settled", task_id=self.id)
            verdicts.bury(self.message, FAILED, f"its end could not be settled: {type(error).__name__}: {error}")
            return None

    def _note(self, reason: str, error: str, traceback: str | None) -> None:
        traceback = traceback[-_TRACEBACK_LENGTH:] if traceback else None
        retries = int(self.request_dict.get("retries") or 0)
        verdicts.bury_when_finished(self.message, reason, error, traceback=traceback, retries=retries)
