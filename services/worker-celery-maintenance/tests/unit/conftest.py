"""Fakes that a test can read: tables, files and results as plain lists, and a clock that stands still."""

from datetime import UTC, datetime, timedelta

import pytest

NOW = datetime(2013, 7, 1, 2, tzinfo=UTC)


def ago(days=0, **more):
    return NOW - timedelta(days=days, **more)


class FakeRecords:
    """Notes the moments it gets; has staging tables of three jobs, of which one is needed."""

    def __init__(self):
        self.calls = []
        self.tables = {"staging_a": "job a", "staging_b": "job b", "staging_c": "job c"}
        self.needed, self.in_use = {"job b"}, {"staging_c"}

    def delete_log_entries(self, before):
        self.calls.append(("logs", before))
        return 1

    def delete_effects(self, before):
        self.calls.append(("effects", before))
        return 5

    def deactivate_users(self, before):
        self.calls.append(("deactivate", before))
        return 2

    def count_inactive_users(self, before):
        self.calls.append(("count", before))
        return 3

    def delete_jobs(self, before):
        self.calls.append(("jobs", before))
        return 4

    def staging_tables(self):
        self.calls.append(("tables", None))
        return dict(self.tables)

    def jobs_that_need_staging(self, jobs, before):
        self.calls.append(("needed", before))
        return jobs & self.needed

    def drop_staging_table(self, name):
        if name not in self.in_use:
            del self.tables[name]
        return name not in self.in_use


class FakeFiles:
    """Files with the time they were written, and the content of some."""

    def __init__(self, written, contents=()):
        self.written, self.contents = written, dict(contents)

    def older_than(self, moment, below=""):
        return iter([path for path, time in self.written.items() if path.startswith(f"{below}/") and time < moment])

    def exists(self, path):
        return path in self.written

    def read(self, path):
        return self.contents[path]

    def delete(self, path):
        del self.written[path]


class FakeResults:
    """Results in two batches."""

    def __init__(self, *results):
        self.stored = list(results)
        self.expiring = {}

    def batches(self):
        yield self.stored[:2]
        yield self.stored[2:]

    def remove(self, results):
        self.stored = [result for result in self.stored if result not in results]
        return len(results)

    def expire(self, results, seconds):
        self.expiring |= {result.key: seconds for result in results}


@pytest.fixture
def records():
    return FakeRecords()


@pytest.fixture
def clock():
    return lambda: NOW
