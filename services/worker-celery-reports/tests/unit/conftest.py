"""A fake database that a test can read: each day has ten flights, of which nine arrived, and its own delays."""

from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

import pytest

from app.facts import Bin, DayMean, Departure, Facts, Group, Hour, Measures, WeatherHour

FIRST, LAST = date(2013, 1, 1), date(2013, 12, 31)


def make_measures(flights=10, measured=9, cancelled=1, on_time=7, median=2.0, upper=20.0):
    if not measured:
        return Measures(flights, 0, cancelled, 0, None, None, None, None)
    return Measures(flights, measured, cancelled, on_time, median - 10, median, upper, upper + 30)


class FakeData:
    """Has the flights of 2013, and statistics until `last`."""

    def __init__(self):
        self.last = LAST
        self.of_day = make_measures()
        self.carriers = [
            Group("AA", "American", make_measures(200, 190, 5, 150)),
            Group("ZZ", "Tiny", make_measures(2, 2, 0, 2)),
        ]

    def last_day(self):
        return self.last

    def known_days(self):
        return FIRST, LAST

    def days_between(self, first, last):
        first, last = max(first, FIRST), min(last, LAST)
        return [first + timedelta(number) for number in range((last - first).days + 1)]

    def total(self, days):
        return make_measures(10 * len(days), 9 * len(days), len(days), 8 * len(days), median=-3.0)

    def facts(self, days):
        total = self.of_day
        hours = [Hour(7, make_measures(20, 18, 2, 9, median=4.0)), Hour(23, make_measures(3, 3, 0, 0, median=99.0))]
        routes = [Group("EWR-BOS", "EWR to Boston (BOS)", make_measures(median=12.0))]
        origins = [Group("EWR", "Newark", total)]
        return Facts(days, total, hours, [Bin(-15, 5), Bin(30, 4)], self.carriers, origins, routes)

    def trend(self, first, last):
        return [DayMean(day, 10, 9, 1, float(day.weekday())) for day in self.days_between(first, last)]

    def weather(self, _day):
        return [WeatherHour(hour, 40.0 + hour, 8.0, 0.0, 10.0) for hour in range(24)]

    def departures(self, days):
        moment = datetime(2013, 12, 31, 12, tzinfo=UTC)
        names = {"carrier": "AA", "airline": "American", "origin": "EWR", "dest": "BOS", "destination": "Boston"}
        times = {"scheduled": moment, "day": days[0], "sched_dep_time": 705, "dep_delay": None, "arr_delay": -3}
        yield Departure(**names, **times, flight=1, tailnum=None, cancelled=False)


class FakeRenderer:
    def html(self, document):
        return document.title.encode()

    def pdf(self, _document):
        return b"pdf"

    def csv(self, departures):
        return "\n".join(departure.airline for departure in departures).encode()


@pytest.fixture
def data():
    return FakeData()


@pytest.fixture
def opened(data):
    @contextmanager
    def opened():
        yield data

    return opened


@pytest.fixture
def renderer():
    return FakeRenderer()


@pytest.fixture(scope="session")
def measures():
    return make_measures
