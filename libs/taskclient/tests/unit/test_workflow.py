"""What a run knows about its steps, from their records."""

import pytest

from taskclient.results import TaskRecord
from taskclient.workflow import WorkflowRun, WorkflowStep

#   a ─▶ b ─┐
#   c ─▶ d ─┴▶ e ─▶ f
AFTER = {"a": (), "b": ("a",), "c": (), "d": ("c",), "e": ("b", "d"), "f": ("e",)}
RUN = WorkflowRun(
    workflow="letters",
    run_id="1",
    parameters={},
    steps=tuple(
        WorkflowStep(key=key, task="app.tasks.x.y", id=key.upper(), after=after) for key, after in AFTER.items()
    ),
)


def records(**states):
    return {key.upper(): TaskRecord(key.upper(), states.get(key, "PENDING")) for key in AFTER}


def failed(**states):
    return [step.key for step in RUN.failed(records(**states))]


@pytest.mark.parametrize(
    ("states", "culprits"),
    [
        ({}, []),
        (dict.fromkeys(AFTER, "SUCCESS"), []),
        ({"a": "FAILURE", "b": "FAILURE", "e": "FAILURE", "f": "FAILURE"}, ["a"]),  # the others could not run
        ({"a": "SUCCESS", "b": "FAILURE", "c": "REVOKED", "d": "FAILURE", "e": "FAILURE"}, ["b", "c"]),
        ({"a": "RETRY", "c": "PROGRESS"}, []),
    ],
)
def test_the_steps_that_failed_by_themselves(states, culprits):
    assert failed(**states) == culprits


@pytest.mark.parametrize(
    ("states", "finished"),
    [
        ({}, False),
        (dict.fromkeys(AFTER, "SUCCESS"), True),
        (dict.fromkeys("abcde", "SUCCESS"), False),
        ({"a": "FAILURE"}, False),  # the other branch runs
        ({"a": "FAILURE", "c": "SUCCESS", "d": "PROGRESS"}, False),
        ({"a": "FAILURE", "c": "SUCCESS", "d": "SUCCESS"}, True),  # what comes after waits in vain
    ],
)
def test_whether_nothing_runs_any_more(states, finished):
    assert RUN.finished(records(**states)) is finished


def test_a_run_is_known_by_its_form():
    assert WorkflowRun.from_result(RUN.model_dump(mode="json")) == RUN
    for other in (None, 5, [], {"total": 3}, {"workflow": "x"}):
        assert WorkflowRun.from_result(other) is None
