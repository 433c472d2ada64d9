"""The backtest tasks: a typed payload in, one processor call, a typed result out."""

from typing import Any
from uuid import UUID

import structlog

from app.celery_app import app
from app.processors.backtest_processor import BacktestProcessor, WrongJob
from app.results import BacktestReport, BacktestState
from app.rules import LATE_MINUTES, LateMinutes, Rule, RuleCondition, Text
from workerkit.database import get_task_session
from workerkit.errors import InvalidPayload, TransientError
from workerkit.event_loop import run_async
from workerkit.progress import Progress

log = structlog.get_logger("task")


def _note_failure(task: Any, error: Exception, _id: str, args: Any, kwargs: Any, _info: Any) -> None:
    """Celery calls it when no more retries will come: whoever watches the job reads there why it ended."""
    if isinstance(error, (InvalidPayload, WrongJob)):
        return
    job_id = task.contract.arguments(args, kwargs)["job_id"]
    try:
        run_async(BacktestProcessor(get_task_session).fail(job_id, str(error) or type(error).__name__))
    except TransientError as away:  # the task has failed already, and the caller knows it from its result
        log.warning("the failure could not be written to the job", job_id=str(job_id), error=str(away))


@app.task(bind=True, name="app.tasks.backtest.run_backtest", on_failure=_note_failure)
def run_backtest(self: Any, job_id: UUID, filter_id: UUID) -> BacktestReport:
    """Test a filter month by month on all flights; the same `job_id` again goes on where the job was."""
    return run_async(BacktestProcessor(get_task_session, Progress(self)).run(job_id, filter_id))


@app.task(name="app.tasks.backtest.cancel_backtest")
def cancel_backtest(job_id: UUID) -> BacktestState:
    """End a backtest before its next month, or before it begins; a finished one stays as it is."""
    return run_async(BacktestProcessor(get_task_session).cancel(job_id))


@app.task(name="app.tasks.backtest.create_filter")
def create_filter(name: Text, rule: RuleCondition, late_minutes: LateMinutes = LATE_MINUTES) -> UUID:
    """Make a filter, or give the one of this name another rule; returns its id."""
    return run_async(BacktestProcessor(get_task_session).save_filter(name, Rule(when=rule, late_minutes=late_minutes)))
