"""Turns one field's text into PostgreSQL's COPY text, or says why it cannot."""

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

NULL = r"\N"
MISSING = (None, "", "NA")
Convert = Callable[[str], str]
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})
_NEW_YORK = ZoneInfo("America/New_York")
_YEARS = range(1900, 2200)
_CACHED_FIELDS, _CACHED_LENGTH = 50_000, 40  # at most some MB for each column
_SHOWN = 40  # characters of a wrong value in a reason


class Column(dict[str | None, str]):
    """Converts the fields of a column: `column[text]`.

    It is a cache as well: most fields repeat, and looking one up is ten times faster than converting it.

    Args:
        convert: for a field that is not missing; raises ValueError with the reason.
        nullable: a missing field is NULL, not an error.
    """

    def __init__(self, convert: Convert, *, nullable: bool) -> None:
        super().__init__(dict.fromkeys(MISSING, NULL) if nullable else {})
        self._convert = convert

    def __missing__(self, text: str | None) -> str:
        """Convert a field that is not in the cache.

        Raises:
            ValueError: with the reason.
        """
        if text in MISSING or text is None:
            raise ValueError("is missing")
        value = self._convert(text)
        if len(text) <= _CACHED_LENGTH and len(self) < _CACHED_FIELDS:
            self[text] = value
        return value


def whole(low: int, high: int) -> Convert:
    """For whole numbers from `low` to `high`."""

    def convert(text: str) -> str:
        if not _WHOLE.fullmatch(text):
            raise ValueError(f"{shown(text)} is not a whole number")
        _check_range(int(text), low, high)
        return str(int(text))

    return convert


def number(low: float, high: float) -> Convert:
    """For numbers from `low` to `high`."""

    def convert(text: str) -> str:
        if not _NUMBER.fullmatch(text):
            raise ValueError(f"{shown(text)} is not a number")
        value = float(text)
        _check_range(value if math.isfinite(value) else math.inf, low, high)
        return repr(value)

    return convert


def clock(text: str) -> str:
    """For times of day that read HHMM, from 0 to 2400."""
    value = whole(0, 2400)(text)
    if int(value) % 100 >= 60:  # noqa: PLR2004
        raise ValueError(f"{value} is not a time of day")
    return value


def text_of(longest: int) -> Convert:
    """For text of at most `longest` characters."""

    def convert(text: str) -> str:
        if len(text) > longest:
            raise ValueError(f"has {len(text)} characters, {longest} are allowed")
        if "\0" in text:
            raise ValueError("holds a NUL")
        if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
            raise ValueError("is not UTF-8")
        return text.translate(_ESCAPES)

    return convert


def hour(text: str) -> str:
    """For whole hours in ISO 8601, with a time zone."""
    return _hour(text).astimezone(UTC).isoformat()


def day_in_new_york(text: str) -> str:
    """The day in New York of an hour."""
    return _hour(text).astimezone(_NEW_YORK).date().isoformat()


def shown(text: str) -> str:
    """A wrong value for a reason: PostgreSQL can store it, whatever it was."""
    return ascii(text[:_SHOWN]) + ("..." if len(text) > _SHOWN else "")


def _hour(text: str) -> datetime:
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{shown(text)} is not a time as in 2013-01-01T10:00:00Z") from None
    if value.tzinfo is None:
        raise ValueError(f"{shown(text)} has no time zone")
    if value.minute or value.second or value.microsecond:
        raise ValueError(f"{shown(text)} is not a whole hour")
    if value.year not in _YEARS:
        raise ValueError(f"{shown(text)} is out of range ({_YEARS.start} to {_YEARS.stop - 1})")
    return value


def _check_range(value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"{value} is out of range ({low} to {high})")
