"""Which results go, which get an expiry, and which are left alone."""

import pytest

from app.processors.results_processor import ResultsProcessor, StoredResult

from .conftest import FakeResults, ago

WEEK = 7 * 86_400


def outcome(clock, **fields):
    """What becomes of one result: "goes", "stays", or the seconds until it goes."""
    other = StoredResult(b"other", "v1", expires=True)
    results = FakeResults(other, other, StoredResult(b"it", "v1", **{"expires": True} | fields))
    removed = ResultsProcessor(results, clock).remove_old(7)
    assert removed == 3 - len(results.stored)
    return "goes" if removed else results.expiring.get(b"it", "stays")


@pytest.mark.parametrize("status", ["SUCCESS", "FAILURE", "REVOKED"])
def test_a_finished_one_goes_when_it_is_older_and_not_when_it_is_exactly_that_old(clock, status):
    assert outcome(clock, status=status, done=ago(7, seconds=1)) == "goes"
    assert outcome(clock, status=status, done=ago(7)) == "stays"
    assert outcome(clock, status=status, done=ago(7, seconds=1), expires=False) == "goes"


@pytest.mark.parametrize("status", ["PROGRESS", "STARTED", "RETRY"])
def test_one_of_a_task_that_may_run_stays_however_old_it_is(clock, status):
    assert outcome(clock, status=status, done=ago(100)) == "stays"
    assert outcome(clock, status=status, expires=False) == WEEK


def test_one_without_an_expiry_goes_at_once_or_gets_one(clock):
    assert outcome(clock, status="SUCCESS", expires=False) == "goes"
    assert outcome(clock, status="SUCCESS", expires=False, done=ago(1)) == WEEK


def test_one_that_cannot_be_read_is_not_judged(clock):
    assert outcome(clock) == "stays"
    assert outcome(clock, expires=False) == WEEK
