"""The calendar months that a range of days touches."""

from calendar import monthrange
from datetime import date
from typing import NamedTuple


class Days(NamedTuple):
    """A range of days, both ends included."""

    first: date
    last: date


def month_of(day: date, later: int = 0) -> Days:
    """The whole month of a day, or the one `later` months after it."""
    years, month = divmod(day.month - 1 + later, 12)
    first = date(day.year + years, month + 1, 1)
    return Days(first, first.replace(day=monthrange(first.year, first.month)[1]))


def count_months(days: Days) -> int:
    """How many months a range touches."""
    return (days.last.year - days.first.year) * 12 + days.last.month - days.first.month + 1


def months(days: Days) -> list[Days]:
    """The parts of a range, one for each month it touches; none if it ends before it begins."""
    if days.first > days.last:
        return []
    whole = [month_of(days.first, later) for later in range(count_months(days))]
    return [Days(max(days.first, part.first), min(days.last, part.last)) for part in whole]
