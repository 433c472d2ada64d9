"""Publishes a worker's `beat_schedule` to Redis, where beat reads it; what left the code leaves Redis too."""

from typing import Any

from celery import Celery
from redbeat import RedBeatSchedulerEntry
from redbeat.schedulers import get_redis


def publish(app: Celery, service: str) -> None:
    """Make Redis hold exactly the schedule entries of this service's code.

    An entry keeps when it ran last, so a boot neither repeats nor skips a run, and it stays disabled if somebody
    disabled it. Entries of other services are not touched.

    Args:
        app: the worker's application; its `beat_schedule` is published.
        service: prefix of the entries' names, as in `email:daily-digest`.
    """
    redis = get_redis(app)
    published_key = f"workerkit:schedule:{service}"
    wanted = {f"{service}:{name}": spec for name, spec in app.conf.beat_schedule.items()}
    for name in redis.smembers(published_key) - wanted.keys():
        RedBeatSchedulerEntry(name, app=app).delete()
        redis.srem(published_key, name)
    for name, spec in wanted.items():
        # The name first: if the worker dies in between, the next boot knows what to remove.
        redis.sadd(published_key, name)
        _save(app, name, spec)


def _save(app: Celery, name: str, spec: dict[str, Any]) -> None:
    entry = RedBeatSchedulerEntry(name, app=app, **spec)
    try:
        known = RedBeatSchedulerEntry.from_key(entry.key, app=app)
    except KeyError:
        known = None
    if known is not None:
        if known.editable_fields_equal(entry) and known.rank is not None:
            return  # so that nobody's pause is written over at each reconnect
        entry.last_run_at = known.last_run_at
        entry.enabled = known.enabled
    entry.save()
