"""The workflows through several services, by their tasks' names: what starts them, resumes them, tells of a failure."""

from datetime import date
from typing import Any

import structlog

from app.celery_app import app
from app.config import settings
from taskclient.workflow import WorkflowRun
from workerkit.alerts import send_alert
from workerkit.workflow import Parallel, Step, Workflow, failures, find_run
from workerkit.workflow import resume as resume_run

log = structlog.get_logger("task")


def nightly_workflow(day: date | None) -> Workflow:
    """Fetch and load all tables side by side, then statistics, the report, its mail, and the clean-up.

    Args:
        day: what the report is about; None takes the latest day there is.
    """
    tables = [
        [
            Step(f"fetch {source}", "app.tasks.ingestion.fetch_data", {"source": source}),
            Step(f"load {source}", "app.tasks.etl.process_data", takes="reference"),
        ]
        for source in settings.nightly_sources
    ]
    stages: list[Step | Parallel] = [
        Parallel(tables),
        Step("statistics", "app.tasks.stats.refresh_all_stats"),
        Step("report", "app.tasks.reports.generate_daily_report", {"day": day and day.isoformat()}),
        Step("mail", "app.tasks.reports.send_report", takes="report"),
        Step("clean-up", "app.tasks.maintenance.cleanup"),
    ]
    return Workflow("nightly", stages, on_failure="app.tasks.workflows.step_failed")


@app.task(bind=True, name="app.tasks.workflows.nightly")
def nightly(self: Any, day: date | None = None, resume: str | None = None) -> WorkflowRun:
    """Start the nightly workflow, or go on with a run whose step has failed, by the run's id."""
    if resume:
        run = find_run(self.app, resume)
        known = run.parameters.get("day")
        return resume_run(self.app, nightly_workflow(known and date.fromisoformat(known)), run, self.request.id)
    workflow = nightly_workflow(day)
    workflow.send(self.app, self.request.id)
    return workflow.run(self.request.id, {"day": day and day.isoformat()})


@app.task(bind=True, name="app.tasks.workflows.step_failed")
def step_failed(self: Any, task_id: str, run_id: str) -> bool:
    """Alert people, once for each run, with the step that failed, its reason and how to go on; says if it was sent."""
    run = find_run(self.app, run_id)
    reasons = failures(self.app, run)
    log.error("workflow failed", workflow=run.workflow, run_id=run_id, failed=reasons, reported_by=task_id)
    lines = [f"{key}: {reason}" for key, reason in reasons.items()]
    again = f"What has succeeded is kept. Once mended, go on with:\n\n    tasks run {run.workflow} resume={run_id}"
    subject = f"Workflow {run.workflow} failed: {', '.join(reasons)}"
    return send_alert(subject, "\n".join([*lines, "", again]), key=f"workflow:{run_id}")
