import pytest

from taskclient.results import TaskRecord
from taskclient.watch import Progress, TaskEvent, event_of, events


def progress(current, total=10, message=""):
    return TaskRecord("id-1", "PROGRESS", {"current": current, "total": total, "message": message})


def test_a_task_from_its_beginning_to_its_end():
    failed = {"exc_type": "KeyError", "exc_message": ["x"], "exc_module": "builtins"}
    assert event_of(TaskRecord("id-1")) == TaskEvent("id-1", "PENDING")
    assert event_of(progress(3, message="rows")).progress == Progress(3, 10, "rows")
    assert event_of(TaskRecord("id-1", "SUCCESS", [1])) == TaskEvent("id-1", "SUCCESS", result=[1], finished=True)
    assert event_of(TaskRecord("id-1", "FAILURE", failed)) == TaskEvent(
        "id-1", "FAILURE", error="KeyError: x", finished=True
    )
    assert event_of(TaskRecord("id-1", "RETRY", failed)) == TaskEvent("id-1", "RETRY")


@pytest.mark.parametrize("result", [None, "half", {"current": "a", "total": 1}, {"current": 1}])
def test_a_state_of_that_name_from_elsewhere_has_no_progress(result):
    assert event_of(TaskRecord("id-1", "PROGRESS", result)) == TaskEvent("id-1", "PROGRESS")


@pytest.mark.parametrize(("current", "total", "fraction"), [(3, 12, 0.25), (5, 0, 1.0), (9, 3, 1.0), (-1, 3, 0.0)])
def test_the_share_that_is_done(current, total, fraction):
    assert Progress(current, total).fraction == fraction


def test_what_shows_no_difference_is_left_out():
    records = [TaskRecord("id-1"), TaskRecord("id-1", date_done="x"), progress(1), progress(1), progress(2)]
    seen = [event.progress.current if event.progress else event.status for event in events(records)]
    assert seen == ["PENDING", 1, 2]
