"""Refreshes the daily statistics month by month."""

import time
from datetime import date

from app.adapters.statistics import Refreshed, known_days, refresh_days
from app.months import Days, months
from app.results import StatsReport
from app.types import Report, Sessions
from workerkit.errors import PermanentError


class StatsProcessor:
    """Computes the delay statistics of each day's carriers, origins and routes.

    Args:
        sessions: gives a session that commits at its end.
        report: is told each month that is done.
    """

    def __init__(self, sessions: Sessions, report: Report) -> None:
        self._sessions = sessions
        self._report = report

    async def refresh(self, since: date | None, until: date | None) -> StatsReport:
        """Make the statistics of a range of days, both ends included, what the flights say; a commit for each month.

        Args:
            since: the first day; None for the first that has flights or statistics.
            until: the last day; None for the last one.

        Raises:
            PermanentError: the range ends before it begins.
        """
        began = time.monotonic()
        done = [Refreshed(0, 0, 0, 0, 0, None)]
        parts = months(await self._range(since, until))
        for number, days in enumerate(parts, 1):
            async with self._sessions() as session:
                done.append(await refresh_days(session, days))
            self._report(number, len(parts), f"{days.first:%Y-%m}")
        return _sum(done, time.monotonic() - began)

    async def _range(self, since: date | None, until: date | None) -> Days:
        if since and until and since > until:
            raise PermanentError(f"there are no days from {since} to {until}: since must not be after until")
        async with self._sessions() as session:
            known = await known_days(session)
        if known is None:
            return Days(date.max, date.min)
        return Days(max(since or known.first, known.first), min(until or known.last, known.last))


def _sum(done: list[Refreshed], seconds: float) -> StatsReport:
    return StatsReport(
        days=sum(part.days for part in done),
        rows=sum(part.rows for part in done),
        flights=sum(part.flights for part in done),
        changed=sum(part.changed for part in done),
        removed=sum(part.removed for part in done),
        last_day=max((part.last_day for part in done if part.last_day), default=None),
        seconds=round(seconds, 3),
    )
