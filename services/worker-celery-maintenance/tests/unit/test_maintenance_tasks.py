"""The tasks' contracts, their limits and the schedule."""

import pytest

import celeryconfig
from app.processors.cleanup_processor import CleanupReport
from app.tasks import maintenance
from workerkit.errors import InvalidPayload
from workerkit.task import WorkerTask

TASKS = {name: task for name, task in vars(maintenance).items() if isinstance(task, WorkerTask)}


@pytest.mark.parametrize("name", sorted(TASKS.keys() - {"cleanup", "relay_outbox"}))
@pytest.mark.parametrize("days", [0, -1, 36_501, "soon", None])
def test_an_age_is_a_number_of_days_from_1(name, days):
    with pytest.raises(InvalidPayload, match="days"):
        TASKS[name](days=days)


def test_all_that_cleanup_does_is_in_its_report():
    assert maintenance._steps().keys() == CleanupReport.model_fields.keys()


def test_limits_are_in_order_and_within_an_hour():
    for task in TASKS.values():
        assert 0 < task.soft_time_limit < task.time_limit < 3600


def test_the_outbox_is_relayed_every_few_seconds_and_ticks_do_not_pile_up():
    entry = celeryconfig.beat_schedule["relay-outbox"]
    assert entry["task"] == maintenance.relay_outbox.name
    assert entry["options"]["expires"] <= entry["schedule"] <= 15


def test_the_schedule_sends_a_task_that_exists_on_sundays_at_two():
    entry = celeryconfig.beat_schedule["weekly-cleanup"]
    assert entry["task"] == maintenance.cleanup.name
    schedule = entry["schedule"]
    assert (schedule.day_of_week, schedule.hour, schedule.minute) == ({0}, {2}, {0})
