"""What the kinds of report say, and what they refuse."""

from datetime import date

import pytest

from app.facts import Group
from app.processors.kinds import DailyParameters, MonthlyParameters, daily, monthly
from workerkit.errors import PermanentError

DAY = date(2013, 12, 31)


def labels(composed, table):
    return [row[0].text for row in composed.document.tables[table].rows]


def headline(composed, label):
    return next(found for found in composed.document.headlines if found.label == label)


def test_a_day_is_compared_with_those_before_it(data):
    report = daily(data, DailyParameters(day=DAY))
    assert labels(report, 0) == ["Tuesday", "Previous 7 days", "Previous 30 days", "Previous 8 Tuesdays"]
    assert headline(report, "On time").value == "70.0\xa0%"
    assert headline(report, "On time").note == "\N{MINUS SIGN}10.0\xa0points on the previous 30 days"
    assert report.summary.splitlines()[1] == (
        "Less punctual than usual: 70.0\xa0% on time (the previous 30 days: 80.0\xa0%)."
    )


def test_no_day_is_the_latest_with_statistics(data):
    data.last = date(2013, 5, 4)
    assert daily(data, DailyParameters()).period == "2013-05-04"
    assert monthly(data, MonthlyParameters()).period == "2013-05"


def test_at_the_beginning_of_the_data_there_is_less_to_compare_with(data):
    assert labels(daily(data, DailyParameters(day=date(2013, 1, 1))), 0) == ["Tuesday"]
    assert labels(daily(data, DailyParameters(day=date(2013, 1, 4))), 0) == ["Friday", "Previous 3 days"]
    assert labels(daily(data, DailyParameters(day=date(2013, 1, 2))), 0) == ["Wednesday", "Previous 1 day"]


def test_a_month_is_compared_with_the_one_before_it(data):
    report = monthly(data, MonthlyParameters(month="2013-02"))
    assert labels(report, 0) == ["February 2013", "January 2013", "2013 until then"]
    assert "(January 2013: " in report.summary
    assert report.document.last_day == date(2013, 2, 28)


def test_a_month_has_its_days_of_the_week(data):
    chart = next(
        found for found in monthly(data, MonthlyParameters(month="2013-02")).document.charts if found.name == "weekdays"
    )
    assert chart.plot.delays == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert "Sunday +6" in chart.alt


def test_a_day_without_flights_is_answered_with_those_that_there_are(data):
    with pytest.raises(
        PermanentError, match="no flights on 2014-01-01: there are flights from 2013-01-01 to 2013-12-31"
    ):
        daily(data, DailyParameters(day=date(2014, 1, 1)))
    with pytest.raises(PermanentError, match="from 2014-01-01 to 2014-01-31: there are flights"):
        monthly(data, MonthlyParameters(month="2014-01"))


def test_without_statistics_there_is_no_latest_day(data):
    data.last = None
    with pytest.raises(PermanentError, match=r"refresh_all_stats"):
        daily(data, DailyParameters())


def test_few_flights_give_no_rank(data, measures):
    data.carriers.append(Group("BB", "Better", measures(100, 100, 0, 99)))
    report = daily(data, DailyParameters(day=DAY))
    assert labels(report, 2) == ["Better", "American", "Tiny"]
    assert headline(report, "Worst hour").value == "07:00\N{EN DASH}07:59"
    assert "Least on time: American, 75.0\xa0%." in report.summary


def test_a_day_on_which_nothing_flew(data, measures):
    data.of_day, data.carriers = measures(10, 0, 10), [Group("AA", "American", measures(10, 0, 10))]
    report = daily(data, DailyParameters(day=DAY))
    assert headline(report, "On time").value == "\N{EN DASH}"
    assert headline(report, "Median arrival").value == "not known"
    assert headline(report, "Cancelled").note == "100.0\xa0% of flights"
    assert "On time: \N{EN DASH}." in report.summary
