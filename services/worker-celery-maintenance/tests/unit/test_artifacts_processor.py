"""Which files go and which stay."""

import json

import pytest

from app.processors.artifacts_processor import ArtifactsProcessor
from workerkit.errors import PermanentError

from .conftest import FakeFiles, ago

LATEST = "ingestion/flights/latest.json"
OLD, IN_USE = "ingestion/flights/1111-flights.csv.zip", "ingestion/flights/2222-flights.csv.zip"


def test_what_is_older_goes_and_what_is_exactly_that_old_stays(clock):
    files = FakeFiles({
        "reports/a.pdf": ago(30, seconds=1), "reports/b.pdf": ago(30), "reports/.unfinished-1-c.pdf": ago(31),
        "ingestion/airlines/1-airlines.csv": ago(31), "elsewhere/d.csv": ago(31), "reports.csv": ago(31),
    })  # fmt: skip
    assert ArtifactsProcessor(files, clock).remove_old(30) == 3
    assert set(files.written) == {"reports/b.pdf", "elsewhere/d.csv", "reports.csv"}


@pytest.mark.parametrize(
    "content",
    [{"path": IN_USE, "etag": "x"}, {"file": {"path": IN_USE}}, ["2222-flights.csv.zip"], IN_USE],
)
def test_what_the_latest_of_a_source_names_stays_with_it(clock, content):
    files = FakeFiles({OLD: ago(31), IN_USE: ago(31), LATEST: ago(31)}, {LATEST: json.dumps(content).encode()})
    assert ArtifactsProcessor(files, clock).remove_old(30) == 1
    assert set(files.written) == {IN_USE, LATEST}


def test_each_source_is_asked_for_its_own(clock):
    other = "ingestion/weather/2222-flights.csv.zip"
    content = json.dumps({"path": IN_USE}).encode()
    files = FakeFiles({IN_USE: ago(31), other: ago(31), LATEST: ago(1)}, {LATEST: content})
    assert ArtifactsProcessor(files, clock).remove_old(30) == 1
    assert set(files.written) == {IN_USE, LATEST}


def test_one_that_cannot_be_read_deletes_nothing_of_its_source(clock):
    files = FakeFiles({OLD: ago(31), LATEST: ago(31)}, {LATEST: b"{"})
    with pytest.raises(PermanentError, match=r"ingestion/flights/latest.json is not JSON .* delete it"):
        ArtifactsProcessor(files, clock).remove_old(30)
    assert set(files.written) == {OLD, LATEST}
