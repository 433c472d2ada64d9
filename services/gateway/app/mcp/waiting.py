"""Waits for a job's end, and tells the caller its progress."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Any

from app.context import Context
from app.jobs import PROGRESS
from taskclient.connection import broker_errors
from taskclient.results import TaskRecord

Report = Callable[[float, float | None, str | None], Awaitable[None]]  # progress, total, message


class Teller:
    """Tells progress, which by the protocol only grows: a job that starts anew is silent until it is further.

    Args:
        report: sends a notification.
    """

    def __init__(self, report: Report) -> None:
        self._report = report
        self._told = -1.0
        self._total = 1.0

    async def tell(self, record: TaskRecord) -> None:
        """Tell a new state."""
        if record.status == "SUCCESS":
            end = max(self._total, self._told)
            await self._tell(end, end, "done")
        elif record.status == PROGRESS and isinstance(record.result, dict):
            current, total = _number(record.result.get("current")), _number(record.result.get("total"))
            self._total = total or self._total
            if current is not None:
                await self._tell(current, total, str(record.result.get("message") or "") or None)

    async def _tell(self, current: float, total: float | None, message: str | None) -> None:
        if current > self._told:
            self._told = current
            await self._report(current, total, message)


async def wait_for(context: Context, job_id: str, seconds: float, report: Report) -> TaskRecord:
    """The job's state when it has ended, or when the time is over.

    Args:
        context: the gateway's parts, with its hub at work.
        job_id: the job's id.
        seconds: how long to wait.
        report: gets its progress.

    Raises:
        TooManyViewers: no more may wait now.
        BrokerUnavailable: Redis could not be asked.
    """
    loop = asyncio.get_running_loop()
    ends, record, teller = loop.time() + seconds, TaskRecord(job_id), Teller(report)
    with broker_errors(context.settings.results(), f"following job {job_id}"):
        async with context.hub.watch(job_id) as viewer:
            while not record.finished and (left := ends - loop.time()) > 0:
                if (new := await viewer.next(left)) is not None:
                    record = new
                    await teller.tell(record)
    return record


def _number(value: Any) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # an integer that no float can hold
        return None
