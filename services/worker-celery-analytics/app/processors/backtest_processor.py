"""Runs backtests month by month, each in one transaction with the job's position, so that a killed run goes on."""

import time
from datetime import date
from typing import Any
from uuid import UUID

from app.adapters.backtests import KIND, Backtests
from app.months import count_months, month_of
from app.results import BacktestReport, BacktestState, MonthScore, total
from app.rules import Rule, parse_rule
from app.types import Report, Sessions
from datastore.jobs import Job, JobState
from workerkit.errors import PermanentError

_OVER = (JobState.SUCCEEDED, JobState.CANCELLED)


class WrongJob(PermanentError):
    """The job's id belongs to other work, which this must not touch."""


class BacktestProcessor:
    """Tests a filter on all months that have flights.

    Args:
        sessions: gives a session that commits at its end.
        report: is told each month that is done.
    """

    def __init__(self, sessions: Sessions, report: Report = lambda _done, _total, _month: None) -> None:
        self._sessions = sessions
        self._report = report

    async def run(self, job_id: UUID, filter_id: UUID) -> BacktestReport:
        """Run a job from its first month that is not done yet, until the last one or until somebody cancels it.

        Args:
            job_id: names the job; its row is made if it is not there. One that is over is only reported.
            filter_id: the filter to test.

        Raises:
            WrongJob: the id is that of another kind of job, or of a backtest of another filter.
            PermanentError: there is no such filter, its rule is wrong or was changed meanwhile, there are no flights.
        """
        began = time.monotonic()
        job = await self._begin(job_id, filter_id)
        resumed_at = job.position
        while job.state is JobState.RUNNING:
            job = await self._go_on(job_id, filter_id)
        if job.state is JobState.FAILED:  # another delivery of the same message has given up
            raise PermanentError(f"job {job_id} failed: {job.error}")
        return _report(job, filter_id, resumed_at, time.monotonic() - began)

    async def cancel(self, job_id: UUID) -> BacktestState:
        """End a job before its next month; one that has not begun will not begin, one that is over stays as it is.

        Returns:
            The job's state afterwards.

        Raises:
            WrongJob: the id is that of another kind of job.
        """
        async with self._sessions() as session:
            store = Backtests(session)
            await store.end_job(job_id, JobState.CANCELLED)
            return BacktestState(job_id=job_id, state=(await _job(store, job_id)).state)

    async def fail(self, job_id: UUID, error: str) -> None:
        """Note why an unfinished job failed."""
        async with self._sessions() as session:
            await Backtests(session).end_job(job_id, JobState.FAILED, error)

    async def save_filter(self, name: str, rule: Rule) -> UUID:
        """Make a filter, or give the one of this name another rule; its id stays, its results go.

        Returns:
            The filter's id.
        """
        async with self._sessions() as session:
            return await Backtests(session).save_filter(name, rule.model_dump(mode="json"))

    async def _begin(self, job_id: UUID, filter_id: UUID) -> Job:
        async with self._sessions() as session:
            store = Backtests(session)
            await store.ensure_job(job_id, filter_id)
            job = await _job(store, job_id)
            tested = job.payload.get("filter_id", str(filter_id))
            if tested != str(filter_id):
                raise WrongJob(f"job {job_id} tests filter {tested}: start another job for filter {filter_id}")
            if job.state not in _OVER:
                await _plan(store, job, filter_id)
                job.state, job.error = JobState.RUNNING, None
            return job

    async def _go_on(self, job_id: UUID, filter_id: UUID) -> Job:
        """Do the next month, unless the job was cancelled, all in one transaction that holds the job's row."""
        async with self._sessions() as session:
            store = Backtests(session)
            job = await _job(store, job_id)
            if job.state is not JobState.RUNNING:
                return job
            rule = parse_rule(await _unchanged_rule(store, job, filter_id))
            days = month_of(date.fromisoformat(job.payload["first_month"]), job.position)
            score = MonthScore(month=days.first, **(await store.score(rule, days)).model_dump())
            await store.save_result(filter_id, score)
            _add(job, score)
        self._report(job.position, job.total or 0, f"{score.month:%Y-%m}")
        return job


async def _job(store: Backtests, job_id: UUID) -> Job:
    job = await store.job(job_id)
    if job is None or job.kind != KIND:
        raise WrongJob(f"job {job_id} is {f'of kind {job.kind}' if job else 'gone'}, not a {KIND}: use another id")
    return job


async def _plan(store: Backtests, job: Job, filter_id: UUID) -> None:
    """Fix the rule and the months when a job begins, so that a later attempt does the same work."""
    if "first_month" in job.payload:
        return
    rule = await _rule(store, filter_id)
    parse_rule(rule)
    days = await store.days_with_flights()
    if days is None:
        raise PermanentError("there are no flights to test on: load them first")
    first = month_of(days.first).first
    job.payload = {**job.payload, "filter_id": str(filter_id), "rule": rule, "first_month": first.isoformat()}
    job.total = count_months(days)
    await store.remove_results_outside(filter_id, first, days.last)


async def _rule(store: Backtests, filter_id: UUID) -> dict[str, Any]:
    rule = await store.rule_of(filter_id)
    if rule is None:
        raise PermanentError(f"there is no filter {filter_id}: create_filter makes one and returns its id")
    return rule


async def _unchanged_rule(store: Backtests, job: Job, filter_id: UUID) -> dict[str, Any]:
    rule = await _rule(store, filter_id)
    if rule != job.payload["rule"]:
        raise PermanentError(f"the rule of filter {filter_id} was changed during its backtest: start a new job")
    return rule


def _months(job: Job) -> list[MonthScore]:
    return [MonthScore.model_validate(month) for month in (job.result or {}).get("months", [])]


def _add(job: Job, score: MonthScore) -> None:
    # A new dictionary: SQLAlchemy does not see what changes within one.
    job.result = {"months": [month.model_dump(mode="json") for month in [*_months(job), score]]}
    job.position += 1
    job.state = JobState.SUCCEEDED if job.position == job.total else JobState.RUNNING


def _report(job: Job, filter_id: UUID, resumed_at: int, seconds: float) -> BacktestReport:
    months = _months(job)
    return BacktestReport(
        job_id=job.id,
        filter_id=filter_id,
        state=job.state,
        months=months,
        overall=total(months),
        resumed_at=resumed_at,
        seconds=round(seconds, 3),
    )
