"""What RedBeat writes of a schedule, as `taskclient.schedules` reads it."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from celery.schedules import crontab, schedule
from redbeat.decoder import RedBeatJSONEncoder
from redbeat.schedules import rrule

from taskclient.schedules import _words

DAY = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (schedule(10.0), "every 10 s"),
        (schedule(0.5), "every 0.5 s"),
        (schedule(timedelta(minutes=5)), "every 5 min"),
        (schedule(90), "every 90 s"),
        (schedule(timedelta(hours=36)), "every 36 h"),
        (schedule(timedelta(days=2)), "every 2 d"),
        (crontab(hour=1, minute=0), "daily at 01:00"),
        (crontab(hour=2, minute=30, day_of_week="sunday"), "on sunday at 02:30"),
        (crontab(hour=2, minute=30, day_of_week=[1, 5]), "on 1,5 at 02:30"),
        (crontab(minute=5), "hourly at minute 5"),
        (crontab(minute="*/15", hour="8-18", day_of_month=1), "cron */15 8-18 1 * *"),
        (
            rrule("DAILY", dtstart=datetime(2030, 1, 1, tzinfo=UTC)),
            "rrule freq=3, interval=1, dtstart=1893456000, dtstart_tz=0",
        ),
    ],
)
def test_words(written: Any, words: str) -> None:
    assert _words(json.loads(json.dumps(written, cls=RedBeatJSONEncoder))) == words
