"""Publishes a worker's `beat_schedule` to Redis, where beat reads it; what left the code leaves Redis too."""

from typing import Any

from celery import Celery

from taskclient.connection import RedisClient, connect


def publish(app: Celery, service: str, url: str) -> None:
    """Make Redis hold exactly the schedule entries of this service's code.

    An entry keeps when it ran last, so a boot neither repeats nor skips a run, and it stays disabled if somebody
    disabled it. Entries of other services are not touched.

    Args:
        app: the worker's application; its `beat_schedule` is published.
        service: prefix of the entries' names, as in `email:daily-digest`.
        url: of the Redis with the schedule.
    """
    key = f"workerkit:schedule:{service}"
    wanted = {f"{service}:{name}": spec for name, spec in app.conf.beat_schedule.items()}
    with connect(url) as redis:
        published = {name.decode() for name in redis.smembers(key)}
        if wanted or published:
            _replace(app, redis, key, published, wanted)


def _replace(app: Celery, redis: RedisClient, key: str, published: set[str], wanted: dict[str, Any]) -> None:
    from redbeat import RedBeatSchedulerEntry  # noqa: PLC0415  - most workers have no schedule, and need not load it

    for name in published - wanted.keys():
        RedBeatSchedulerEntry(name, app=app).delete()
        redis.srem(key, name)
    for name, spec in wanted.items():
        # The name first: if the worker dies in between, the next boot knows what to remove.
        redis.sadd(key, name)
        _save(RedBeatSchedulerEntry(name, app=app, **spec))


def _save(entry: Any) -> None:
    try:
        known = type(entry).from_key(entry.key, app=entry.app)
    except KeyError:
        known = None
    if known is not None:
        if known.editable_fields_equal(entry) and known.rank is not None:
            return  # so that nobody's pause is written over at each reconnect
        entry.last_run_at = known.last_run_at
        entry.enabled = known.enabled
    entry.save()
