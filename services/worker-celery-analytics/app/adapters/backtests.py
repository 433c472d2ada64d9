"""The tables of backtests: jobs, filters, results, and the count of what a filter would have picked."""

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import and_, delete, func, not_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.adapters.conditions import sql
from app.months import Days
from app.results import MonthScore, Score
from app.rules import Rule
from datastore.filters import BacktestFilter, BacktestResult
from datastore.flights import Flight, Weather
from datastore.jobs import Job, JobState

KIND = "backtest"
_OPEN = (JobState.PENDING, JobState.RUNNING)


class Backtests:
    """What one transaction does.

    Args:
        session: its changes are committed by whoever made it.
    """

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def ensure_job(self, job_id: UUID, filter_id: UUID) -> None:
        """Make the job's row, unless the caller has."""
        row = {"id": job_id, "kind": KIND, "payload": {"filter_id": str(filter_id)}}
        await self._session.execute(insert(Job).values(row).on_conflict_do_nothing())

    async def job(self, job_id: UUID) -> Job | None:
        """The job, locked until the end of the transaction: nobody else goes on with it or cancels it meanwhile."""
        return await self._session.get(Job, job_id, with_for_update=True)

    async def end_job(self, job_id: UUID, state: JobState, error: str | None = None) -> None:
        """Put an unfinished job into a final state; one that is not there yet is made, so that it will not begin."""
        new = insert(Job).values(id=job_id, kind=KIND, state=state, payload={}, error=error)
        values = {"state": state, "error": error, "updated_at": func.now()}
        unfinished = and_(Job.kind == KIND, Job.state.in_(_OPEN))
        await self._session.execute(new.on_conflict_do_update(index_elements=[Job.id], set_=values, where=unfinished))

    async def rule_of(self, filter_id: UUID) -> dict[str, Any] | None:
        """A filter's rule, which stays as it is until the end of the transaction; None if there is no such filter."""
        found = await self._session.get(BacktestFilter, filter_id, with_for_update={"read": True})
        return found.rule if found else None

    async def save_filter(self, name: str, rule: dict[str, Any]) -> UUID:
        """Make a filter or change the one of this name; another rule's results are removed.

        Returns:
            The filter's id.
        """
        await self._session.execute(insert(BacktestFilter).values(name=name, rule=rule).on_conflict_do_nothing())
        query = select(BacktestFilter).where(BacktestFilter.name == name).with_for_update()
        found = (await self._session.execute(query)).scalar_one()
        if found.rule != rule:
            found.rule = rule
            await self._session.execute(delete(BacktestResult).where(BacktestResult.filter_id == found.id))
        return found.id

    async def days_with_flights(self) -> Days | None:
        """The first and the last day that has flights; None without flights."""
        first, last = (await self._session.execute(select(func.min(Flight.day), func.max(Flight.day)))).one()
        return Days(first, last) if first else None

    async def score(self, rule: Rule, days: Days) -> Score:
        """Count what a rule would have picked, and what was late, among the flights whose arrival delay is known."""
        weather = and_(Weather.origin == Flight.origin, Weather.time_hour == Flight.time_hour)
        late = (Flight.arr_delay >= rule.late_minutes).label("late")
        flights = (
            select(sql(rule.when).label("picked"), late)
            .join_from(Flight, Weather, weather, isouter=True)
            .where(Flight.day.between(*days), Flight.arr_delay.is_not(None))
            .subquery()
        )
        picked, is_late = flights.c.picked, flights.c.late
        counts = [and_(picked, is_late), and_(not_(picked), is_late), and_(picked, not_(is_late))]
        row = (await self._session.execute(select(*[func.count().filter(each) for each in counts]))).one()
        return Score(hits=row[0], misses=row[1], false_alarms=row[2])

    async def save_result(self, filter_id: UUID, score: MonthScore) -> None:
        """Write one month's result over the one that is there."""
        values = score.model_dump()
        new = insert(BacktestResult).values(filter_id=filter_id, **values)
        key = [BacktestResult.filter_id, BacktestResult.month]
        changed = values | {"updated_at": func.now()}
        await self._session.execute(new.on_conflict_do_update(index_elements=key, set_=changed))

    async def remove_results_outside(self, filter_id: UUID, first: date, last: date) -> None:
        """Remove results of months from which all flights have gone."""
        own, inside = BacktestResult.filter_id == filter_id, BacktestResult.month.between(first, last)
        await self._session.execute(delete(BacktestResult).where(own, not_(inside)))
