"""What the pool's processes report is read several at a time, and sent so."""

from pickle import loads
from typing import Any

from celery.concurrency import asynpool

_Handler: Any = asynpool.ResultHandler  # the stubs leave out the parts that are not public
_Worker: Any = asynpool.Worker
_FLUSH_SECONDS = 0.1


class ResultHandler(_Handler):  # type: ignore[misc]
    """Celery's, in the main process; a large report that has come half keeps nobody waiting."""

    def _make_process_result(self, hub: Any) -> Any:
        def on_readable(descriptor: int) -> None:
            process = self.fileno_to_outq.get(descriptor)
            if process is None or not self.take(process):
                hub.remove_reader(descriptor)

        return on_readable

    def take(self, process: Any) -> bool:
        """Take what a process has reported; False when nothing more can come.

        Raises:
            Exception: what one of the callbacks raised first, after all of them were called.
        """
        try:
            reports = process.outq.read()
        except (OSError, EOFError):
            return False
        failure: BaseException | None = None
        for report in reports:
            try:
                self.on_state_change(loads(report))  # noqa: S301  - our own process's
            except BaseException as error:  # noqa: BLE001  - raised below; the other reports are no longer in the pipe
                failure = failure or error
        if failure is not None:
            raise failure
        return True

    def _flush_outqueue(self, descriptor: int, remove: Any, processes: Any, on_state_change: Any) -> None:  # noqa: ARG002  - Celery's signature
        process = processes.get(descriptor)
        try:
            gone = process is None or (process.outq._reader.poll(_FLUSH_SECONDS) and not self.take(process))
        except OSError:  # closed
            gone = True
        if gone:
            remove(descriptor)


class Worker(_Worker):  # type: ignore[misc]
    """Celery's, in the pool's process."""

    def _ensure_messages_consumed(self, completed: int) -> Any:
        self.outq.flush()  # called however the process's work ends
        return super()._ensure_messages_consumed(completed)
