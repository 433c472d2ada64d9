"""A step that fails does not stop the others, and is not forgotten."""

import pytest

from app.processors.cleanup_processor import CleanupProcessor, CleanupReport
from workerkit.errors import PermanentError, TransientError


class TimeIsUp(Exception):
    pass


class Run:
    """Runs steps; some of them fail."""

    def __init__(self, **failing):
        self.ran, self.progress = [], []
        self.failing = failing

    def step(self, name):
        self.ran.append(name)
        if name in self.failing:
            raise self.failing[name]
        return len(name)

    def __call__(self):
        names = ("users", "jobs", "results")
        steps = {name: (lambda name=name: self.step(name)) for name in names}
        return CleanupProcessor(steps, lambda *report: self.progress.append(report), final=(TimeIsUp,)).run()


def test_the_counts_of_all_steps_are_reported_with_progress():
    run = Run()
    assert run() == CleanupReport(users=5, jobs=4, results=7)
    assert run.progress == [(0, 3, "users"), (1, 3, "jobs"), (2, 3, "results"), (3, 3, "done")]


def test_failures_that_may_pass_are_one_failure_that_may_pass():
    run = Run(users=TransientError("database away"), results=TransientError("redis away"))
    with pytest.raises(TransientError, match=r"2 of 3 .*users: .*database away; results: .*redis away.* done: jobs 4"):
        run()
    assert run.ran == ["users", "jobs", "results"]


@pytest.mark.parametrize("lasting", [PermanentError("no right"), KeyError("a bug")])
def test_one_failure_that_lasts_makes_all_of_them_lasting(lasting):
    run = Run(users=TransientError("database away"), jobs=lasting)
    with pytest.raises(PermanentError, match=rf"users: .*database away; jobs: {type(lasting).__name__}: .*results 7"):
        run()
    assert run.ran == ["users", "jobs", "results"]


def test_a_time_limit_ends_everything():
    run = Run(users=TimeIsUp())
    with pytest.raises(TimeIsUp):
        run()
    assert run.ran == ["users"]
