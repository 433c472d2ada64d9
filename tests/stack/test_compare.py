"""Real turns of `make bench` and `make bench-costs`, and that nothing stays behind when they are stopped."""

import os
import signal
import subprocess
import sys

import pytest
from compare import costs
from compare.page import PAGE

from devstack.marks import Mark
from devstack.services import ROOT
from devstack.waiting import wait_for

PAGES = (PAGE, costs.PAGE)


class Bench:
    """A benchmark of subjects that need no other environment, and every process that descends from it."""

    def __init__(self, log, *arguments, module="compare"):
        mark = Mark()
        self.processes, self.names = mark.processes, mark.names
        self.log = log
        env = {**os.environ, **mark.environment, "PYTHONPATH": str(ROOT / "scripts"), "COLUMNS": "160"}
        argv = [sys.executable, "-u", "-m", module, "--rounds", "1", *arguments]
        with log.open("wb") as output:
            self.process = subprocess.Popen(argv, env=env, stdout=output, stderr=output, start_new_session=True)

    def output(self, seconds):
        """What it has printed when it has ended well."""
        assert self.process.wait(seconds) == 0, self.log.read_text()
        wait_for(lambda: not self.processes())
        return self.log.read_text()


@pytest.fixture
def start(tmp_path):
    runs = []

    def begin(*names, tasks=100, **options):
        only = [argument for name in names for argument in ("--only", name)]
        runs.append(Bench(tmp_path / "bench.log", "--tasks", str(tasks), *only, **options))
        return runs[-1]

    yield begin
    for run in runs:
        for process in run.processes():
            process.kill()
        run.process.wait()


def contents():
    return [page.read_bytes() if page.exists() else None for page in PAGES]


def test_a_subject_is_measured_and_nothing_is_written_to_the_documents(start):
    before = contents()
    output = start("celery", "noop", "enqueue").output(180)
    assert "Tasks that do nothing" in output
    assert "Enqueue, no worker running" in output
    assert "celery 5" in output
    assert contents() == before


def test_coroutines_are_measured_at_half_load_mixed_with_the_database_and_in_six_workers(start):
    output = start("template-async", "io", "half-load", "mixed", "database", "six").output(240)
    line = next(line for line in output.splitlines() if line.startswith("round 1, "))
    for name in ("io ", "half-load ", "mixed ", "database "):
        assert name in line
    for title in ("tasks /s", "% of its rate", "p99 of their wait", "in PostgreSQL", "Six workers together"):
        assert title in output


def test_plain_celery_has_an_engine_for_each_task_or_for_each_process(start):
    output = start("celery", "celery-engine", "database").output(240)
    rows = [line.split()[1] for line in output.splitlines() if line.startswith("│ ")]
    assert rows == ["celery", "celery-engine"]


def test_parts_of_the_template_are_measured_one_by_one(start):
    before = contents()
    output = start("contract", "heard", module="compare.costs").output(240)
    rows = [line for line in output.splitlines() if line.startswith("│ ")]
    assert [row.split()[1] for row in rows] == ["prefork"] * 3 + ["short"] * 3
    assert "not measured" not in output
    assert contents() == before


def test_what_the_parts_cost_alone_is_measured():
    command = [sys.executable, str(ROOT / "scripts/bench/floors.py"), "--rounds", "1"]
    output = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True).stdout
    for part in (
        "a round trip to Redis",
        "BLMOVE, p50",
        "Celery's tracer",
        "Celery's pool",
        "imported: s",
        "MiB (PSS)",
    ):
        assert part in output


@pytest.mark.parametrize(
    ("workload", "names"),
    [("idle", {"celery"}), ("kill", {"celery"}), ("six", {"celery"}), ("database", {"celery", "postgres"})],
)
def test_ctrl_c_ends_all_it_started(start, workload, names):
    run = start("celery", workload)
    wait_for(lambda: names <= run.names(), 60)
    run.process.send_signal(signal.SIGINT)
    assert run.process.wait(60) == 130, run.log.read_text()
    assert "Stopped." in run.log.read_text()
    wait_for(lambda: not run.processes())
