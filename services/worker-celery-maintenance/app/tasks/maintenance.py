"""The maintenance tasks: an age in days in, one processor call, a count out."""

from collections.abc import Callable
from functools import cache, partial
from typing import Annotated, Any

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from pydantic import Field

from app.adapters.database import DatabaseRecords
from app.adapters.results import RedisResults
from app.celery_app import app
from app.config import Days, settings
from app.processors.artifacts_processor import ArtifactsProcessor
from app.processors.cleanup_processor import CleanupProcessor, CleanupReport
from app.processors.records_processor import RecordsProcessor
from app.processors.results_processor import ResultsProcessor
from taskclient.client import TaskClient
from workerkit.database import get_sync_db
from workerkit.errors import TransientError
from workerkit.outbox import Relayed, send_waiting
from workerkit.progress import Progress
from workerkit.single_instance import single_instance
from workerkit.storage import Storage

log = structlog.get_logger("task")
DryRun = Annotated[bool, Field(description="count, and change nothing")]
# The first run after a long time may have much to do; one that is cut off goes on where it was when it is retried.
_SOFT_SECONDS, _HARD_SECONDS = 3000, 3300
_WAIT_SECONDS = 600  # for another cleanup


# Alone, because a second one could only do the same; it waits, because a skipped one would end a workflow there. The
# other tasks need no lock: two at once share the work.
@app.task(bind=True, name="app.tasks.maintenance.cleanup", soft_time_limit=_SOFT_SECONDS, time_limit=_HARD_SECONDS)
@single_instance("cleanup", timeout=_WAIT_SECONDS)
def cleanup(self: Any) -> CleanupReport:
    """Do all that the other maintenance tasks do, with the ages of the settings; if one fails, the others still run."""
    return CleanupProcessor(_steps(), Progress(self), final=(SoftTimeLimitExceeded,)).run()


@app.task(name="app.tasks.maintenance.prune_logs", soft_time_limit=_SOFT_SECONDS, time_limit=_HARD_SECONDS)
def prune_logs(days: Days) -> int:
    """Delete log entries older than `days`; returns how many."""
    return records_processor().prune_logs(days)


@app.task(
    name="app.tasks.maintenance.deactivate_inactive_users", soft_time_limit=_SOFT_SECONDS, time_limit=_HARD_SECONDS
)
def deactivate_inactive_users(days: Days, dry_run: DryRun = False) -> int:
    """Deactivate users who were not seen for more than `days`; returns how many, with `dry_run` without doing it."""
    return records_processor().deactivate_inactive_users(days, dry_run=dry_run)


@app.task(name="app.tasks.maintenance.remove_old_jobs", soft_time_limit=_SOFT_SECONDS, time_limit=_HARD_SECONDS)
def remove_old_jobs(days: Days) -> int:
    """Delete jobs that ended more than `days` ago, with the rows they rejected; returns how many jobs."""
    return records_processor().remove_old_jobs(days)


@app.task(name="app.tasks.maintenance.remove_staging_tables", soft_time_limit=_SOFT_SECONDS, time_limit=_HARD_SECONDS)
def remove_staging_tables(days: Days) -> int:
    """Drop staging tables whose job is gone or unchanged for `days`; returns how many."""
    return records_processor().remove_staging_tables(days)


@app.task(name="app.tasks.maintenance.remove_old_effects", soft_time_limit=_SOFT_SECONDS, time_limit=_HARD_SECONDS)
def remove_old_effects(days: Days) -> int:
    """Forget the keys of effects older than `days`, which could happen again then; returns how many."""
    return records_processor().remove_old_effects(days)


@app.task(name="app.tasks.maintenance.remove_old_artifacts", soft_time_limit=_SOFT_SECONDS, time_limit=_HARD_SECONDS)
def remove_old_artifacts(days: Days) -> int:
    """Delete fetched files and reports older than `days`, but for the latest of each source; returns how many."""
    return artifacts_processor().remove_old(days)


@app.task(name="app.tasks.maintenance.remove_old_results", soft_time_limit=_SOFT_SECONDS, time_limit=_HARD_SECONDS)
def remove_old_results(days: Days) -> int:
    """Remove results of tasks that ended more than `days` ago, and have all others expire; returns how many."""
    return results_processor().remove_old(days)


# Nobody reads its result, and every few seconds comes another one.
@app.task(name="app.tasks.maintenance.relay_outbox", soft_time_limit=240, time_limit=270, ignore_result=True)
def relay_outbox() -> int:
    """Send the calls that wait in the outbox; returns how many, of those that can never be sent the row says why."""
    try:
        relayed = send_waiting(get_sync_db, task_client())
    except TransientError as error:  # the next tick is the retry
        relayed = Relayed(away=str(error))
    if relayed.away:
        log.warning("calls wait in the outbox", reason=relayed.away)
    return relayed.sent


def _steps() -> dict[str, Callable[[], int]]:
    """What `cleanup` does, by the fields of its report; jobs come before their staging tables."""
    records = records_processor()
    return {
        "log_entries": partial(records.prune_logs, settings.log_retention_days),
        "users": partial(records.deactivate_inactive_users, settings.user_inactive_days),
        "jobs": partial(records.remove_old_jobs, settings.job_retention_days),
        "staging_tables": partial(records.remove_staging_tables, settings.staging_retention_days),
        "effects": partial(records.remove_old_effects, settings.effect_retention_days),
        "artifacts": partial(artifacts_processor().remove_old, settings.artifact_retention_days),
        "results": partial(results_processor().remove_old, settings.result_retention_days),
    }


@cache
def task_client() -> TaskClient:
    """The client of this process, on the configured broker."""
    return TaskClient(settings.broker(), settings.results(), check=False)  # what it relays was committed by its callers


@cache
def records_processor() -> RecordsProcessor:
    """The processor of this process, on the configured database."""
    return RecordsProcessor(DatabaseRecords(get_sync_db))


@cache
def artifacts_processor() -> ArtifactsProcessor:
    """The processor of this process, on the configured storage."""
    return ArtifactsProcessor(Storage(settings.storage_url))


@cache
def results_processor() -> ResultsProcessor:
    """The processor of this process, on the configured result backend."""
    return ResultsProcessor(RedisResults(settings.results()))
