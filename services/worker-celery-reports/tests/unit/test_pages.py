"""Pages, mails and lists: nothing in them is taken for markup or for a formula."""

import csv
import io
from dataclasses import replace
from datetime import date

import pytest

from app.adapters.flight_list import flight_list
from app.adapters.page import mail, page
from app.facts import Group
from app.processors.kinds import DailyParameters, daily
from app.processors.report_processor import ReportProcessor
from workerkit.storage import Storage

HOSTILE = "<script>alert('x')</script> {{ 7 * 7 }}"


@pytest.fixture
def hostile(data):
    data.carriers = [Group("XX", HOSTILE, data.carriers[0].measures)]
    return data


def test_a_hostile_name_stays_text_on_a_page(hostile):
    document = daily(hostile, DailyParameters(day=date(2013, 12, 31))).document
    written = page(replace(document, charts=()))
    assert "<script" not in written
    assert written.count("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; {{ 7 * 7 }}") == 2


def test_a_hostile_name_stays_text_in_a_mail(hostile, opened, renderer, tmp_path):
    report = ReportProcessor(opened, renderer, Storage(f"file://{tmp_path}")).generate("daily", {})
    written = mail(report)
    assert "<script" not in written
    assert "Least on time: &lt;script&gt;" in written
    assert "70.0\xa0%" in written


def test_a_name_is_no_formula_in_a_spreadsheet(data):
    flight = replace(next(data.departures([date(2013, 12, 31)])), airline='=HYPERLINK("x")', tailnum="@SUM(A1)")
    [line] = csv.DictReader(io.StringIO(flight_list([flight]).decode()))
    assert (line["airline"], line["tail_number"]) == ('\'=HYPERLINK("x")', "'@SUM(A1)")
    assert (line["scheduled_departure"], line["arrival_delay_minutes"], line["departure_delay_minutes"]) == (
        "07:05",
        "-3",
        "",
    )
