"""The files of reports on real flights: what is in them, and that they are the same each time."""

import gc
import re
import sys
from datetime import date
from html.parser import HTMLParser
from xml.etree import ElementTree

import pypdfium2
import pytest

from app.adapters.charts import for_page, for_paper
from app.adapters.flight_data import flight_data
from app.adapters.renderer import FileRenderer
from app.processors.kinds import DailyParameters, daily
from app.processors.report_processor import ReportProcessor
from workerkit import database as sessions
from workerkit.errors import PermanentError, TransientError
from workerkit.storage import Storage

DAY = "2013-07-22"
FLIGHT = """
INSERT INTO flights (time_hour, carrier, flight, origin, dest, day, sched_dep_time, dep_time, arr_delay,
    sched_arr_time, distance)
VALUES ('2014-02-03 12:00Z', %s, %s, 'EWR', 'BOS', '2014-02-03', 705, %s, %s, 800, 200)
"""


@pytest.fixture
def storage(tmp_path):
    return Storage(f"file://{tmp_path}/files")


@pytest.fixture
def processor(storage):
    return ReportProcessor(flight_data, FileRenderer(), storage)


@pytest.fixture(scope="module")
def monday(year, tmp_path_factory):
    """The report of one day and where it is stored; made once, as it takes seconds."""
    sessions.configure(year.url, application_name="tests")
    storage = Storage(f"file://{tmp_path_factory.mktemp('monday')}")
    yield ReportProcessor(flight_data, FileRenderer(), storage).generate("daily", {"day": DAY}), storage
    sessions.dispose()


@pytest.fixture
def document(real_year):
    with flight_data() as data:
        return daily(data, DailyParameters(day=date(2013, 7, 22))).document


def pages(content):
    """The texts of a PDF's pages, with single spaces."""
    with pypdfium2.PdfDocument(content) as pdf:
        texts = []
        for page in pdf:
            text = page.get_textpage()
            texts.append(" ".join(text.get_text_range().split()))
            text.close()
            page.close()
        return texts


class Elements(HTMLParser):
    """Keeps what a page loads, what it names, and its text."""

    def __init__(self, content):
        super().__init__()
        self.links, self.ids, self.labels, self.tags, self.text = [], [], [], [], ""
        self.feed(content.decode())

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "xlink:href", "action", "srcset", "data"):
                self.links.append(value)
            elif name in ("id", "aria-label"):
                (self.ids if name == "id" else self.labels).append(value)

    def handle_data(self, data):
        self.text += data.replace("\xa0", " ")


def test_a_page_needs_nothing_else(monday):
    report, storage = monday
    content = storage.read(report.html)
    page = Elements(content)
    assert [link for link in page.links if not link.startswith("#")] == []
    assert {"script", "link", "iframe", "object"} & set(page.tags) == set()
    assert re.findall(rb"https?://|@import|url\((?!#)", content) == []
    assert page.tags.count("svg") == 4


def test_pictures_on_a_page_do_not_share_names_and_say_what_they_show(monday):
    report, storage = monday
    page = Elements(storage.read(report.html))
    assert len(page.ids) == len(set(page.ids)) > 50
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)
    assert any("The worst hour is 19:00 to 19:59, 174\xa0min late." in label for label in page.labels)


def test_a_page_has_no_colour_of_its_own_outside_the_theme(document):
    for chart in document.charts:
        svg = for_page(chart)
        assert re.findall(r"#[0-9a-fA-F]{6}\b", svg) == []
        assert "var(--good)" in svg
        ElementTree.fromstring(svg)  # noqa: S314  - our own


def test_the_headlines_stand_in_all_forms(monday):
    report, storage = monday
    page, paper = Elements(storage.read(report.html)).text, pages(storage.read(report.pdf))
    for text in (
        "Monday, 22 July 2013",
        "1,000",
        "41.8 %",
        "17 min late",
        "123",
        "19:00\N{EN DASH}19:59",
        "usually 937",
    ):
        assert text in page
        assert text in paper[0]
    assert "JetBlue Airways" in paper[1]
    assert "41.8 % on time (the previous 30 days: 62.6 %)" in report.summary.replace("\xa0", " ")


def test_the_same_data_make_the_same_bytes(processor, monday, real_year):
    report, _ = monday
    again = processor.generate("daily", {"day": DAY})
    assert again.model_dump(exclude={"urls"}) == report.model_dump(exclude={"urls"})


@pytest.mark.parametrize(("kind", "parameters"), [("daily", {"day": "2013-02-09"}), ("monthly", {"month": "2013-02"})])
def test_a_report_has_two_pages_and_fits_a_mail(processor, storage, real_year, kind, parameters):
    report = processor.generate(kind, parameters)
    assert len(pages(storage.read(report.pdf))) == 2
    assert report.html.size + report.pdf.size < 300_000


def test_no_day_is_the_latest_one_and_needs_no_weather(processor, storage, real_year):
    report = processor.generate("daily", {})
    assert (report.period, report.flights, report.cancelled) == ("2013-12-31", 776, 16)
    assert "no readings" in Elements(storage.read(report.html)).text


def test_a_day_without_flights(processor, real_year):
    with pytest.raises(PermanentError, match="there are flights from 2013-01-01 to 2013-12-31"):
        processor.generate("daily", {"day": "2014-01-01"})


def test_a_day_on_which_no_arrival_is_known(processor, storage, own, statistics):
    own.execute(FLIGHT, ("XX", 1, None, None))
    own.execute(FLIGHT, ("XX", 2, 710, None))
    statistics(own)
    report = processor.generate("daily", {})
    assert (report.period, report.flights, report.cancelled, report.on_time) == ("2014-02-03", 2, 1, None)
    assert report.median_delay is None
    assert "not known" in pages(storage.read(report.pdf))[0]


def test_a_carrier_with_a_hostile_name(processor, storage, own, statistics):
    name = "<script>alert('x')</script> $\\frac{1}{0}$ " + "very " * 40 + "long"
    own.execute("INSERT INTO airlines (carrier, name) VALUES ('XX', %s)", (name,))
    for number in range(12):
        own.execute(FLIGHT, ("XX", number, 710, 20 + number))
    statistics(own)
    report = processor.generate("daily", {})
    page = Elements(storage.read(report.html))
    assert "script" not in page.tags
    assert name in page.text
    assert len(pages(storage.read(report.pdf))) <= 3


def test_a_database_without_any_flights(processor, own):
    with pytest.raises(PermanentError, match="no statistics yet"):
        processor.generate("daily", {})
    with pytest.raises(PermanentError, match="no flights have been loaded at all"):
        processor.generate("daily", {"day": DAY})


def test_a_storage_that_is_away(real_year, tmp_path):
    (tmp_path / "file").write_bytes(b"not a folder")
    processor = ReportProcessor(flight_data, FileRenderer(), Storage(f"file://{tmp_path}/file/below"))
    with pytest.raises(TransientError, match="storage"):
        processor.generate("daily", {"day": DAY})


def test_nothing_is_kept_of_a_picture_that_was_drawn(document):
    from matplotlib.figure import Figure  # noqa: PLC0415  - only here

    def drawn():
        for chart in document.charts:
            for_paper(chart)
        gc.collect()
        return sum(isinstance(found, Figure) for found in gc.get_objects()), len(gc.get_objects())

    drawn()
    (_, before), *_, (figures, after) = [drawn() for _ in range(3)]
    assert figures == 0
    assert after - before < 100
    assert "matplotlib.pyplot" not in sys.modules
