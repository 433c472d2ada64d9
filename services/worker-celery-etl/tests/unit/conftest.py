"""Flights as a test writes them: fields by name, and a file of them in memory or in storage."""

import pytest

from workerkit.storage import Storage

FLIGHT = {
    "year": "2013", "month": "1", "day": "1", "dep_time": "517", "sched_dep_time": "515", "dep_delay": "2",
    "arr_time": "830", "sched_arr_time": "819", "arr_delay": "11", "carrier": "UA", "flight": "1545",
    "tailnum": "N14228", "origin": "EWR", "dest": "IAH", "air_time": "227", "distance": "1400", "hour": "5",
    "minute": "15", "time_hour": "2013-01-01T10:00:00Z",
}  # fmt: skip


@pytest.fixture
def flight():
    return lambda **changes: FLIGHT | changes


@pytest.fixture
def storage(tmp_path):
    return Storage(f"file://{tmp_path}/storage")
