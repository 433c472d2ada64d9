"""What is stored under which name, and what a caller gets to read."""

import pytest

from app.processors.dispatch import mail_payload
from app.processors.report_processor import ReportProcessor
from workerkit.errors import InvalidPayload
from workerkit.storage import Storage


@pytest.fixture
def storage(tmp_path):
    return Storage(f"file://{tmp_path}")


@pytest.fixture
def processor(opened, renderer, storage):
    return ReportProcessor(opened, renderer, storage)


def test_a_report_is_three_files_under_steady_names(processor, storage):
    report = processor.generate("daily", {"day": "2013-12-30"})
    folder = "reports/daily/2013-12-30"
    paths = [report.html.path, report.pdf.path, report.csv.path]
    assert paths == [f"{folder}/report.html", f"{folder}/report.pdf", f"{folder}/flights.csv"]
    assert storage.read(report.html) == b"Monday, 30 December 2013"
    assert storage.read(report.csv) == b"American"
    assert report.urls.pdf == storage.url(report.pdf.path)
    assert processor.generate("daily", {"day": "2013-12-30"}) == report


def test_a_report_tells_how_far_it_is(processor):
    told = []
    processor.generate("daily", {"day": "2013-12-30"}, lambda *step: told.append(step))
    assert [(current, total) for current, total, _ in told] == [(step, 4) for step in range(5)]


def test_what_a_report_says_of_itself(processor):
    report = processor.generate("monthly", {"month": "2013-07"})
    assert (report.kind, report.period, str(report.day)) == ("monthly", "2013-07", "2013-07-31")
    assert report.title == "Monthly report, July 2013"
    assert (report.flights, report.cancelled, report.on_time, report.median_delay) == (10, 1, 0.7, 2.0)
    assert 3 <= len(report.summary.splitlines()) <= 6
    assert len(report.model_dump_json()) < 4096


@pytest.mark.parametrize(
    ("kind", "parameters", "wrong"),
    [
        ("daily", {"day": "31.12.2013", "carrier": "AA"}, ["parameters.day", "parameters.carrier"]),
        ("monthly", {"month": "2013-13"}, ["parameters.month"]),
        ("monthly", {"day": "2013-12-31"}, ["parameters.day"]),
    ],
)
def test_wrong_parameters_are_all_named(processor, kind, parameters, wrong):
    with pytest.raises(InvalidPayload, match=f"not the parameters of a {kind} report") as refusal:
        processor.generate(kind, parameters)
    assert [error["field"] for error in refusal.value.errors] == wrong


def test_the_mail_names_the_files_and_does_not_hold_them(processor):
    report = processor.generate("daily", {})
    payload = mail_payload(report, ["ada@example.com", "bob@example.com"], lambda found: f"<p>{found.title}</p>")
    assert (payload["to"], payload["cc"]) == ("ada@example.com", ["bob@example.com"])
    assert payload["subject"] == "Daily report, Tuesday, 31 December 2013"
    assert payload["body"].startswith(report.summary)
    assert payload["html"] == "<p>Daily report, Tuesday, 31 December 2013</p>"
    assert [file["path"].rpartition("/")[2] for file in payload["attachments"]] == ["report.pdf", "flights.csv"]
