"""What is fetched, what is kept and what is refused."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from app.processors.file_processor import FileProcessor
from workerkit.errors import PermanentError, TransientError

URL = "https://data.example/tables/flights.csv.zip"
SHA = hashlib.sha256(b"onetwo").hexdigest()
PATH = f"ingestion/flights/{SHA[:16]}-flights.csv.zip"
HEADERS = {"etag": '"1"', "last_modified": "Tue, 01 Jan 2013 00:00:00 GMT"}


class Clock:
    def __init__(self):
        self.time = datetime(2013, 1, 1, tzinfo=UTC)

    def __call__(self):
        return self.time


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def reports():
    return []


@pytest.fixture
def fetch(http, files, clock, reports):
    def run(url=URL, source="flights"):
        processor = FileProcessor(
            http,
            files,
            sources={"flights": url},
            max_bytes=100,
            deadline_seconds=5,
            reuse=timedelta(days=7),
            now=clock,
        )
        return processor.fetch(source, lambda *report: reports.append(report))

    return run


def test_the_path_follows_from_the_content(fetch, http, files):
    http.will_answer(b"one", b"two", **HEADERS)
    assert fetch().model_dump() == {
        "path": PATH, "size": 6, "sha256": SHA, "source": "flights", "etag": '"1"', "unchanged": False,
    }  # fmt: skip
    assert files.kept == {PATH: b"onetwo"}
    assert http.asked == [(URL, {})]


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://data.example/", "flights"),
        ("https://data.example", "flights"),
        ("https://data.example/a?key=secret", "a"),
        ("https://data.example/%2E%2E%2Fpasswd", ".._passwd"),
        ("https://data.example/a b;c.csv", "a_b_c.csv"),
        ("https://data.example/" + "x" * 300 + ".csv", "x" * 96 + ".csv"),
    ],
)
def test_the_file_name_is_that_of_the_url_made_safe(fetch, http, url, name):
    http.will_answer(b"onetwo")
    assert fetch(url).path == f"ingestion/flights/{SHA[:16]}-{name}"


def test_an_unknown_source_names_the_known_ones_and_the_setting(fetch, http):
    with pytest.raises(PermanentError, match=r"no 'http://10\.0\.0\.1/' in the setting SOURCES, which names flights"):
        fetch(source="http://10.0.0.1/")
    assert http.asked == []


def test_the_second_time_it_asks_for_news_and_gives_the_same_reference(fetch, http):
    http.will_answer(b"onetwo", **HEADERS)
    first = fetch()
    http.will_answer(unchanged=True)
    assert fetch() == first.model_copy(update={"unchanged": True})
    assert http.asked[1][1] == {"If-None-Match": '"1"', "If-Modified-Since": HEADERS["last_modified"]}


def test_a_provider_without_validators_is_asked_for_all_of_it(fetch, http):
    for _ in range(2):
        http.will_answer(b"onetwo")
        fetch()
    assert http.asked[1][1] == {}


def test_news_replace_the_note_and_leave_the_old_file(fetch, http, files):
    http.will_answer(b"onetwo", **HEADERS)
    fetch()
    http.will_answer(b"three", etag='"2"')
    assert not fetch().unchanged
    assert files.notes["flights"].etag == '"2"'
    assert sorted(files.kept.values()) == [b"onetwo", b"three"]


@pytest.mark.parametrize("change", ["file gone", "other url", "too old"])
def test_what_is_no_longer_good_is_fetched_whole(fetch, http, files, clock, change):
    http.will_answer(b"onetwo", **HEADERS)
    fetch()
    if change == "file gone":
        files.kept.clear()
    clock.time += timedelta(days=8 if change == "too old" else 7)
    http.will_answer(b"onetwo", **HEADERS)
    assert not fetch(URL + "?v=2" if change == "other url" else URL).unchanged
    assert http.asked[1][1] == {}


def test_a_length_over_the_limit_is_refused_before_the_first_piece(fetch, http, files):
    http.will_answer(b"onetwo", length=101)
    with pytest.raises(PermanentError, match=r"101 bytes, over the limit of 100: .*FETCH_MAX_BYTES"):
        fetch()
    assert files.seen == []


def test_an_endless_body_is_refused_at_the_limit(fetch, http, files):
    taken = []
    http.will_answer()
    answer = http.answers.pop()
    endless = (taken.append(1) or b"x" * 40 for _ in iter(int, 1))
    http.will_answer()
    http.answers[0] = type(answer)(**{**vars(answer), "chunks": endless})
    with pytest.raises(PermanentError, match="beyond the limit of 100"):
        fetch()
    assert len(taken) == 3
    assert files.kept == files.notes == {}


@pytest.mark.parametrize(
    ("headers", "problem"), [({"length": 7}, "6 bytes came instead of 7"), ({"sha256": "0" * 64}, "checksum")]
)
def test_a_damaged_file_is_not_kept(fetch, http, files, headers, problem):
    http.will_answer(b"one", b"two", **headers)
    with pytest.raises(TransientError, match=problem):
        fetch()
    assert files.kept == files.notes == {}


def test_length_and_checksum_that_fit(fetch, http):
    http.will_answer(b"one", b"two", length=6, sha256=SHA)
    assert fetch().size == 6


def test_progress_counts_bytes_and_ends_once_the_file_is_kept(fetch, http, reports):
    http.will_answer(b"one", b"two", length=6)
    fetch()
    assert reports == [(3, 6, "flights: fetching"), (6, 6, "flights: stored")]


def test_progress_of_an_unknown_length_goes_towards_the_limit(fetch, http, reports):
    http.will_answer(b"one", b"two")
    fetch()
    assert [report[:2] for report in reports] == [(3, 100), (6, 100), (6, 6)]
