from datetime import UTC, datetime, timedelta

import pytest

from taskclient.cli_dead_input import parse_filter, parse_moment
from taskclient.cli_dead_output import printable, when


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("15m", 900), ("2h", 7200), ("7d", 604_800)])
def test_how_long_ago(text, seconds):
    assert datetime.now(UTC) - parse_moment(text) - timedelta(seconds=seconds) < timedelta(seconds=5)


def test_a_time():
    assert parse_moment("2030-01-01T12:00Z") == datetime(2030, 1, 1, 12, tzinfo=UTC)
    assert parse_moment(None) is None


@pytest.mark.parametrize("text", ["tomorrow", "2 h", "-1h", "1w", "99999999999d"])
def test_no_time(text):
    with pytest.raises(ValueError, match=r"ISO 8601|year 1"):
        parse_moment(text)


@pytest.mark.parametrize(
    ("since", "until", "says"), [("2030-01-01", None, "time zone"), ("1h", "2h", "no letter can fit")]
)
def test_times_that_make_no_filter(since, until, says):
    with pytest.raises(ValueError, match=says):
        parse_filter(None, None, since, until, None)


def test_words_of_a_message_cannot_steer_the_terminal():
    assert printable("a\x1b[2J\n\tb\x9b") == "a\\x1b[2J b\\x9b"


def test_any_number_can_be_shown_as_a_time():
    assert (when(0.0), when(None), when(1e300)) == ("1970-01-01 00:00:00Z", "", "1e+300")
