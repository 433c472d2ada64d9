"""The statistics task: a range of days in, one processor call, a report out."""

from datetime import date
from typing import Any

from app.celery_app import app
from app.processors.stats_processor import StatsProcessor
from app.results import StatsReport
from workerkit.database import get_task_session
from workerkit.event_loop import run_async
from workerkit.progress import Progress
from workerkit.single_instance import single_instance

_WAIT_SECONDS = 600  # for another refresh; one takes seconds


# The schedule and a workflow may meet. The later one waits and then computes, because flights may have come since the
# other began, and because skipping it would end the workflow's chain there. So the limits are the wait and the work.
@app.task(
    bind=True,
    name="app.tasks.stats.refresh_all_stats",
    soft_time_limit=_WAIT_SECONDS + 300,
    time_limit=_WAIT_SECONDS + 360,
)
@single_instance("refresh_all_stats", timeout=_WAIT_SECONDS)
def refresh_all_stats(self: Any, since: date | None = None, until: date | None = None) -> StatsReport:
    """Compute each day's arrival delays by carrier, origin and route; without `since` and `until`, of all days."""
    return run_async(StatsProcessor(get_task_session, Progress(self)).refresh(since, until))
