"""Numbers as people read them."""

from datetime import date

import pytest

from app.processors import wording


@pytest.mark.parametrize(
    ("delay", "short", "long"),
    [
        (12.4, "+12", "12\xa0min late"),
        (-3.0, "\N{MINUS SIGN}3", "3\xa0min early"),
        (0.4, "0", "on schedule"),
        (-0.4, "0", "on schedule"),
        (1234.0, "+1,234", "1,234\xa0min late"),
        (None, "\N{EN DASH}", "not known"),
    ],
)
def test_delays(delay, short, long):
    assert (wording.minutes(delay), wording.lateness(delay)) == (short, long)


def test_shares_and_their_change():
    assert wording.percent(0.7144) == "71.4\xa0%"
    assert wording.percent(None) == "\N{EN DASH}"
    assert wording.points(0.5, 0.62) == "\N{MINUS SIGN}12.0\xa0points"
    assert wording.points(None, 0.62) == ""


def test_counts():
    assert [wording.number(value) for value in (1234, 912.4, 1.5, 0)] == ["1,234", "912", "1.5", "0"]
    assert (wording.counted(1, "day"), wording.counted(2000, "day")) == ("1\xa0day", "2,000\xa0days")


def test_dates_need_no_locale():
    day = date(2013, 2, 9)
    assert wording.long_day(day) == "Saturday, 9 February 2013"
    assert (wording.short_day(day), wording.month(day), wording.clock(7)) == (
        "9 February",
        "February 2013",
        "07:00 to 07:59",
    )
