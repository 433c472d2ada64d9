"""How long a message has waited: its publish time, which every message of this code carries, and its own ETA."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from celery import signals

from taskclient.message import DUE_HEADER, PUBLISHED_HEADER, waits_since


def check_limit(task: str, limit: object) -> None:
    """Refuse a limit that is no number of seconds above 0.

    Raises:
        ValueError: naming the task.
    """
    if isinstance(limit, bool) or not isinstance(limit, (int, float)) or not 0 < limit < math.inf:
        raise ValueError(f"{task}: max_queue_wait is {limit!r}; it must be a number of seconds above 0")


def stamp(headers: dict[str, Any], **_: Any) -> None:
    """Write into the headers since when the message waits; a retry is a new message with new times."""
    headers.pop(DUE_HEADER, None)
    headers.update(waits_since(_parsed(headers.get("eta"))))


def waited(headers: Mapping[str, Any], now: float) -> float | None:
    """How long a message has waited for a worker.

    Args:
        headers: the message's.
        now: seconds since 1970.

    Returns:
        Seconds since it was published, or since its ETA where that is later; None if nobody knows, as with messages
        of other producers.
    """
    times = [headers.get(PUBLISHED_HEADER), headers.get(DUE_HEADER), epoch(headers.get("eta"))]
    known = [at for at in times if isinstance(at, (int, float))]
    return now - max(known) if known else None


def epoch(moment: object) -> float | None:
    """A time of Celery's headers (ISO 8601; without a zone it is UTC) in seconds since 1970; None if it is none."""
    parsed = _parsed(moment)
    return None if parsed is None else parsed.timestamp()


def _parsed(moment: object) -> datetime | None:
    if not isinstance(moment, str):
        return None
    try:
        parsed = datetime.fromisoformat(moment)
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


# Not in `create_app` alone: whatever process defines a task of this library may send tasks.
signals.before_task_publish.connect(stamp, weak=False, dispatch_uid="workerkit.queue_wait")
