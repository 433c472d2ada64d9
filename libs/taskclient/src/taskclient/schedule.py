"""When a task may start and until when it is wanted: `eta`, `countdown` and `expires` as points in time."""

from datetime import UTC, datetime, timedelta


def start_time(eta: datetime | None, countdown: float | None) -> datetime | None:
    """The earliest time at which the task may run.

    Args:
        eta: that time itself, with a time zone.
        countdown: seconds from now instead, 0 or more.

    Returns:
        An aware datetime, or None for at once.

    Raises:
        ValueError: both are given, `eta` has no time zone, or `countdown` is negative.
    """
    if eta is not None and countdown is not None:
        raise ValueError("eta and countdown both say when to start: give one of them.")
    if countdown is not None:
        return _from_now("countdown", countdown)
    return _aware("eta", eta)


def end_time(expires: float | datetime | None) -> datetime | None:
    """The time after which the task is no longer wanted and will be revoked instead of run.

    Args:
        expires: that time, with a time zone, or seconds from now, 0 or more.

    Returns:
        An aware datetime, or None for never.

    Raises:
        ValueError: the time has no time zone, or the seconds are negative.
    """
    if expires is None or isinstance(expires, datetime):
        return _aware("expires", expires)
    return _from_now("expires", expires)


def _from_now(option: str, seconds: float) -> datetime:
    if not 0 <= seconds < timedelta.max.total_seconds():
        raise ValueError(f"{option} is {seconds}, but must be 0 or more seconds from now.")
    try:
        return datetime.now(UTC) + timedelta(seconds=seconds)
    except OverflowError as error:
        raise ValueError(f"{option} is {seconds} seconds, which is after the year 9999.") from error


def _aware(option: str, moment: datetime | None) -> datetime | None:
    if moment is not None and moment.utcoffset() is None:
        raise ValueError(
            f"{option} is {moment.isoformat()}, without a time zone: caller and worker may live in different ones. "
            "Say which, as in datetime(2030, 1, 1, 12, tzinfo=UTC)."
        )
    return moment
