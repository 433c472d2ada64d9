"""Numbers and dates as people read them."""

from collections.abc import Sequence
from datetime import date

UNKNOWN = "\N{EN DASH}"
_SMALL = 10
_MINUS = "\N{MINUS SIGN}"
_SPACE = "\N{NO-BREAK SPACE}"


def number(value: float) -> str:
    """A count: 1,234; with one decimal if it is a mean that is no whole number and is small."""
    return f"{value:,.1f}" if value % 1 and value < _SMALL else f"{value:,.0f}"


def percent(share: float | None) -> str:
    """A share from 0 to 1 with one decimal: 71.4 %."""
    return UNKNOWN if share is None else f"{share * 100:.1f}{_SPACE}%"


def minutes(delay: float | None) -> str:
    """A delay for a table: +12, 0 or -3, with a real minus."""
    if delay is None:
        return UNKNOWN
    whole = round(delay)
    return f"+{whole:,}" if whole > 0 else f"{whole:,}".replace("-", _MINUS)


def lateness(delay: float | None) -> str:
    """A delay in words: 12 min late, 3 min early, on schedule."""
    if delay is None:
        return "not known"
    whole = round(delay)
    if whole == 0:
        return "on schedule"
    return f"{abs(whole):,}{_SPACE}min {'late' if whole > 0 else 'early'}"


def points(now: float | None, then: float | None) -> str:
    """How a share has changed: +2.3 points; empty if one of them is not known."""
    if now is None or then is None:
        return ""
    change = (now - then) * 100
    return f"{change:+.1f}{_SPACE}points".replace("-", _MINUS)


def counted(count: int, noun: str) -> str:
    """As in: 1 day, 7 days."""
    return f"{count:,}{_SPACE}{noun}{'' if count == 1 else 's'}"


def clock(hour: int) -> str:
    """An hour of the day: 17:00 to 17:59."""
    return f"{hour:02}:00 to {hour:02}:59"


def long_day(day: date) -> str:
    """As in: Tuesday, 31 December 2013, whatever the locale."""
    return f"{weekday(day)}, {day.day} {_MONTHS[day.month - 1]} {day.year}"


def short_day(day: date) -> str:
    """As in: 31 December."""
    return f"{day.day} {_MONTHS[day.month - 1]}"


def weekday(day: date) -> str:
    """As in: Tuesday."""
    return WEEKDAYS[day.weekday()]


def month(day: date) -> str:
    """As in: December 2013."""
    return f"{_MONTHS[day.month - 1]} {day.year}"


WEEKDAYS: Sequence[str] = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS: Sequence[str] = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
