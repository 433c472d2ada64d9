"""A real turn of `make bench`, and that nothing stays behind when it is stopped."""

import os
import signal
import subprocess
import sys
import uuid

import psutil
import pytest
from compare.page import PAGE

from devstack.services import ROOT
from devstack.waiting import wait_for


class Bench:
    """The benchmark of plain Celery, which needs no other environment, and every process that descends from it."""

    def __init__(self, log, *arguments):
        self._mark = str(uuid.uuid4())
        self.log = log
        env = {**os.environ, "PYTHONPATH": str(ROOT / "scripts"), "RUN_MARK": self._mark, "COLUMNS": "160"}
        argv = [sys.executable, "-u", "-m", "compare", "--rounds", "1", "--only", "celery", *arguments]
        with log.open("wb") as output:
            self.process = subprocess.Popen(argv, env=env, stdout=output, stderr=output, start_new_session=True)

    def processes(self):
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("RUN_MARK") == self._mark and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:
                continue
        return found


@pytest.fixture
def start(tmp_path):
    runs = []

    def begin(*arguments):
        runs.append(Bench(tmp_path / "bench.log", *arguments))
        return runs[-1]

    yield begin
    for run in runs:
        for process in run.processes():
            process.kill()
        run.process.wait()


def test_a_subject_is_measured_and_nothing_is_written_to_the_documents(start):
    before = PAGE.read_bytes() if PAGE.exists() else None
    run = start("--only", "noop", "--only", "enqueue", "--tasks", "100")
    assert run.process.wait(180) == 0, run.log.read_text()
    output = run.log.read_text()
    assert "Tasks that do nothing" in output
    assert "Enqueue, no worker running" in output
    assert "celery 5" in output
    assert (PAGE.read_bytes() if PAGE.exists() else None) == before
    wait_for(lambda: not run.processes())


@pytest.mark.parametrize(("workload", "names"), [("idle", {"celery"}), ("kill", {"celery"})])
def test_ctrl_c_ends_all_it_started(start, workload, names):
    run = start("--only", workload)
    wait_for(lambda: names <= {process.name() for process in run.processes()}, 60)
    run.process.send_signal(signal.SIGINT)
    assert run.process.wait(60) == 130, run.log.read_text()
    assert "Stopped." in run.log.read_text()
    wait_for(lambda: not run.processes())
