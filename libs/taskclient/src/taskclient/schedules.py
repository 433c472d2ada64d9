"""The schedules that beat works off, as RedBeat keeps them in Redis: shown in words, paused, resumed, run now."""

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final
from zoneinfo import ZoneInfo

from taskclient.catalog import CatalogEntry
from taskclient.connection import RedisClient
from taskclient.contracts import near
from taskclient.errors import UnknownSchedule
from taskclient.names import queue_of

_PREFIX: Final = "redbeat:"
_DUE_KEY: Final = "redbeat::schedule"  # sorted set of the entries' keys -> seconds since 1970 when each is due next
_UNITS: Final = ((86_400, "d"), (3600, "h"), (60, "min"))

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Schedule:
    """One entry.

    Args:
        name: `<service>:<name>`, as in `maintenance:nightly`.
        service: whose code it is in; empty if no worker has published it.
        task: the name of the task that is sent.
        when: in words, as in `every 10 s` or `daily at 01:00`, else as a line of cron.
        queue: where the task goes.
        last_run: when beat last sent it; None if never.
        next_run: when it is due; None if it is paused, or is never due again. One in the past is sent within seconds.
        paused: whether beat leaves it out.
    """

    name: str
    service: str
    task: str
    when: str
    queue: str
    last_run: datetime | None
    next_run: datetime | None
    paused: bool


@dataclass(frozen=True, slots=True)
class ScheduledCall:
    """What beat sends for an entry: a task, its arguments, and the options of the sending."""

    task: str
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    options: Mapping[str, Any]

    def payload(self, entry: CatalogEntry | None) -> dict[str, Any]:
        """The arguments by name; those by position get their names from the task's contract.

        Raises:
            ValueError: there are more of them than names.
        """
        names = list(entry.parameters.get("properties", {})) if entry else []
        if len(self.args) > len(names):
            raise ValueError(
                f"{self.task} is scheduled with arguments by position, and the catalog does not name them: "
                "write them as kwargs in its beat_schedule."
            )
        return dict(zip(names, self.args, strict=False)) | dict(self.kwargs)


def read_schedules(client: RedisClient, catalog: Iterable[CatalogEntry]) -> list[Schedule]:
    """All entries, sorted by name; one that cannot be read is left out and logged.

    Raises:
        redis.RedisError: Redis could not be reached, or refused.
    """
    queues = {entry.name: entry.queue for entry in catalog}
    due = client.zrange(_DUE_KEY, 0, -1, withscores=True)
    pipe: Any = client.pipeline(transaction=False)
    for key, _ in due:
        pipe.hmget(key, "definition", "meta")
    found = []
    for (key, seconds), (definition, meta) in zip(due, pipe.execute(), strict=True):
        try:
            found.append(_schedule(json.loads(definition), json.loads(meta or "{}"), seconds, queues))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            logger.warning("The schedule %r is not readable and left out: %s", key, error)
    return sorted(found, key=lambda one: one.name)


def schedule_names(client: RedisClient) -> list[str]:
    """The names of all entries.

    Raises:
        redis.RedisError: Redis could not be reached, or refused.
    """
    return [key.decode(errors="replace").removeprefix(_PREFIX) for key in client.zrange(_DUE_KEY, 0, -1)]


def scheduled_call(client: RedisClient, name: str) -> ScheduledCall:
    """What an entry sends.

    Raises:
        UnknownSchedule: there is no such entry.
        redis.RedisError: Redis could not be reached, or refused.
    """
    known = _definition(client, client.hget(f"{_PREFIX}{name}", "definition"), name)
    return ScheduledCall(known["task"], known.get("args") or (), known.get("kwargs") or {}, known.get("options") or {})


def set_enabled(client: RedisClient, name: str, *, enabled: bool) -> bool:
    """Have beat send an entry, or leave it out, from its next look on; whether that changed anything.

    Raises:
        UnknownSchedule: there is no such entry.
        redis.RedisError: Redis could not be reached, or refused.
    """
    key, changed = f"{_PREFIX}{name}", False

    def change(pipe: Any) -> None:
        nonlocal changed
        known = _definition(client, pipe.hget(key, "definition"), name)
        changed = known.get("enabled", True) != enabled
        pipe.multi()
        if changed:
            pipe.hset(key, "definition", json.dumps(known | {"enabled": enabled}))

    transaction: Any = client.transaction  # Any, because the stubs leave it untyped
    transaction(change, key)
    return changed


def _definition(client: RedisClient, stored: bytes | None, name: str) -> dict[str, Any]:
    if stored is None:
        hint = near(name, schedule_names(client), "`tasks schedules` shows all.")
        raise UnknownSchedule(f"No service has published a schedule {name!r}; {hint}")
    known: dict[str, Any] = json.loads(stored)
    return known


def _schedule(definition: dict[str, Any], meta: dict[str, Any], seconds: float, queues: Mapping[str, str]) -> Schedule:
    name, task = definition["name"], definition["task"]
    service, colon, _ = name.partition(":")
    paused = not definition.get("enabled", True)
    return Schedule(
        name=name,
        service=service if colon else "",
        task=task,
        when=_words(definition["schedule"]),
        queue=(definition.get("options") or {}).get("queue") or queues.get(task) or queue_of(task),
        last_run=_moment(meta.get("last_run_at")) if meta.get("total_run_count") else None,
        next_run=None if paused or seconds < 0 else datetime.fromtimestamp(seconds, UTC),
        paused=paused,
    )


def _moment(stored: dict[str, Any] | None) -> datetime | None:
    if stored is None:
        return None
    fields = {name: value for name, value in stored.items() if name not in ("__type__", "timezone")}
    zone = stored.get("timezone", "UTC")
    known = ZoneInfo(zone) if isinstance(zone, str) else timezone(timedelta(seconds=zone))
    return datetime(tzinfo=known, **fields).astimezone(UTC)


def _words(schedule: dict[str, Any]) -> str:
    match schedule:
        case {"__type__": "interval", "every": every}:
            return f"every {_span(every)}"
        case {"__type__": "crontab"}:
            fields = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
            return _cron(*(_field(schedule.get(field, "*")) for field in fields))
    rule = {name: value for name, value in schedule.items() if name != "__type__" and value is not None}
    return f"{schedule['__type__']} {', '.join(f'{name}={value}' for name, value in rule.items())}"


def _span(seconds: float) -> str:
    for size, unit in _UNITS:
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"


def _cron(minute: str, hour: str, day: str, month: str, weekday: str) -> str:
    if minute.isdecimal() and hour.isdecimal() and day == month == "*":
        days = "daily" if weekday == "*" else f"on {weekday}"
        return f"{days} at {int(hour):02}:{int(minute):02}"
    if minute.isdecimal() and hour == day == month == weekday == "*":
        return f"hourly at minute {int(minute)}"
    return f"cron {minute} {hour} {day} {month} {weekday}"


def _field(value: Any) -> str:
    """A field of cron; Celery also takes numbers and lists of them."""
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
