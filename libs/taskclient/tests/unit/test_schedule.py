from datetime import UTC, datetime, timedelta

import pytest

from taskclient.schedule import end_time, start_time

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
NAIVE = datetime(2030, 1, 1, 12)  # noqa: DTZ001 - the wrong value itself


def test_times_stay_as_they_are():
    assert start_time(NOON, None) == end_time(NOON) == NOON
    assert start_time(None, None) is end_time(None) is None


@pytest.mark.parametrize("seconds", [0, 5, 2.5])
def test_seconds_count_from_now(seconds):
    expected = datetime.now(UTC) + timedelta(seconds=seconds)

    assert abs(start_time(None, seconds) - expected) < timedelta(seconds=1)
    assert abs(end_time(seconds) - expected) < timedelta(seconds=1)


@pytest.mark.parametrize("convert", [lambda: start_time(NAIVE, None), lambda: end_time(NAIVE)])
def test_a_time_without_zone_is_refused(convert):
    with pytest.raises(ValueError, match="tzinfo=UTC"):
        convert()


@pytest.mark.parametrize("seconds", [-1, -0.001, float("nan"), float("inf"), 1e12])
def test_impossible_seconds_are_refused(seconds):
    with pytest.raises(ValueError, match=f"countdown is {seconds}"):
        start_time(None, seconds)
    with pytest.raises(ValueError, match=f"expires is {seconds}"):
        end_time(seconds)


def test_eta_and_countdown_exclude_each_other():
    with pytest.raises(ValueError, match="give one of them"):
        start_time(NOON, 0)
