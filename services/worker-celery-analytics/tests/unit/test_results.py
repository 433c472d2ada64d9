"""Precision and recall, and the months of a range."""

from datetime import date

import pytest

from app.months import Days, count_months, month_of, months
from app.results import MonthScore, Score, total


@pytest.mark.parametrize(
    ("hits", "misses", "false_alarms", "precision", "recall"),
    [(3, 1, 2, 0.6, 0.75), (0, 5, 0, None, 0.0), (0, 0, 5, 0.0, None), (0, 0, 0, None, None), (7, 0, 0, 1.0, 1.0)],
)
def test_precision_and_recall(hits, misses, false_alarms, precision, recall):
    score = Score(hits=hits, misses=misses, false_alarms=false_alarms)
    assert (score.precision, score.recall) == (precision, recall)


def test_several_months_together_are_the_sum_and_not_the_mean():
    january = MonthScore(month=date(2013, 1, 1), hits=1, misses=0, false_alarms=0)
    february = MonthScore(month=date(2013, 2, 1), hits=0, misses=3, false_alarms=1)
    overall = total([january, february])
    assert (overall.precision, overall.recall) == (0.5, 0.25)
    assert total([]).model_dump() == {"hits": 0, "misses": 0, "false_alarms": 0, "precision": None, "recall": None}


def test_a_score_is_read_again_from_its_json():
    score = MonthScore(month=date(2013, 1, 1), hits=1, misses=2, false_alarms=3)
    assert MonthScore.model_validate(score.model_dump(mode="json")) == score


def test_a_range_is_split_at_the_months_ends():
    parts = months(Days(date(2012, 12, 30), date(2013, 2, 1)))
    assert parts == [
        (date(2012, 12, 30), date(2012, 12, 31)),
        (date(2013, 1, 1), date(2013, 1, 31)),
        (date(2013, 2, 1), date(2013, 2, 1)),
    ]
    assert count_months(Days(date(2012, 12, 30), date(2013, 2, 1))) == 3


@pytest.mark.parametrize("later", range(30))
def test_a_later_month_is_whole(later):
    first, last = month_of(date(2011, 11, 15), later)
    assert (first.day, (last - first).days in range(27, 31), last.month) == (1, True, first.month)
    assert (first.year * 12 + first.month) - (2011 * 12 + 11) == later


def test_february_of_a_leap_year_and_the_last_month_of_all():
    assert month_of(date(2012, 2, 5)).last == date(2012, 2, 29)
    assert month_of(date(9999, 12, 5)).last == date(9999, 12, 31)


def test_a_range_that_ends_before_it_begins_has_no_months():
    assert months(Days(date(2013, 2, 5), date(2013, 1, 1))) == []
    assert months(Days(date(2013, 2, 5), date(2013, 2, 4))) == []
