"""How old is old, in the database."""

import pytest

from app.processors.records_processor import RecordsProcessor

from .conftest import ago


@pytest.fixture
def processor(records, clock):
    return RecordsProcessor(records, clock)


def test_days_become_the_moment_that_many_days_ago(processor, records):
    assert processor.prune_logs(30) == 1
    assert processor.deactivate_inactive_users(365) == 2
    assert processor.remove_old_jobs(90) == 4
    assert processor.remove_old_effects(91) == 5
    assert records.calls == [
        ("logs", ago(30)), ("deactivate", ago(365)), ("jobs", ago(90)), ("effects", ago(91)),
    ]  # fmt: skip


def test_a_dry_run_only_counts(processor, records):
    assert processor.deactivate_inactive_users(10, dry_run=True) == 3
    assert records.calls == [("count", ago(10))]


def test_a_staging_table_that_is_needed_or_in_use_stays(processor, records):
    assert processor.remove_staging_tables(1) == 1
    assert set(records.tables) == {"staging_b", "staging_c"}


def test_tables_are_listed_before_their_jobs_so_that_none_seems_to_have_lost_its_job(processor, records):
    processor.remove_staging_tables(1)
    assert records.calls == [("tables", None), ("needed", ago(1))]
