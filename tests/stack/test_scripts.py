"""`make demo` and `make dev` as a person runs them: what they print, and that nothing stays behind."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from devstack.marks import Mark
from devstack.services import ROOT, discover
from devstack.waiting import wait_for


class Run:
    """A make target in a terminal of its own, and every process that descends from it."""

    def __init__(self, target: str, log: Path) -> None:
        mark = Mark()
        self.processes = mark.processes
        self.log = log
        env = {**os.environ, **mark.environment, "COLUMNS": "160", "PYTHONUNBUFFERED": "1"}
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                ["make", target], cwd=ROOT, env=env, stdout=output, stderr=output, start_new_session=True
            )

    def output(self) -> str:
        return self.log.read_text()

    def press_ctrl_c(self) -> None:
        """What a terminal does: SIGINT to everything in the foreground."""
        os.killpg(self.process.pid, signal.SIGINT)

    def logs(self) -> list[str]:
        folder = re.search(r"^Logs: (.+)$", self.output(), re.MULTILINE)
        assert folder, self.output()
        return sorted(path.name for path in Path(folder[1]).iterdir())


@pytest.fixture
def start(tmp_path):
    runs = []

    def begin(target):
        runs.append(Run(target, tmp_path / f"{target}-{len(runs)}.log"))
        return runs[-1]

    yield begin
    for run in runs:
        for process in run.processes():
            process.kill()


def test_the_demo_shows_tasks_and_mail_and_leaves_nothing_running(start):
    demo = start("demo")
    assert demo.process.wait(240) == 0, demo.output()
    mails = ("app.tasks.email.send_welcome_email", "sent to ada@example.com", "Hello from the demo", "(550)")
    nightly = ("load flights", "336,776", "report.pdf", "Daily report, Monday, 30 December 2013")
    for text in (*mails, *nightly):
        assert text in demo.output()
    assert {"mail.log", *(f"{service.name}.log" for service in discover())} <= set(demo.logs())
    assert demo.processes() == []


@pytest.mark.parametrize("moment", ["Starting", "Running", "Starting and again"])
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_the_demo_can_be_interrupted_and_leaves_nothing_running(start, moment, how):
    demo = start("demo")
    wait_for(lambda: moment.partition(" ")[0] in demo.output(), 60)
    for _ in range(2 if "again" in moment else 1):
        os.killpg(demo.process.pid, how)
        time.sleep(0.3)
    assert demo.process.wait(40) != 0
    assert demo.processes() == []
    assert "Logs: " in demo.output()


def is_parent(process):
    return process.parent().cmdline() != process.cmdline()


def test_dev_restarts_what_died_and_what_changed_and_stops_on_ctrl_c(start):
    dev = start("dev")
    workers = len([service for service in discover() if service.name.startswith("worker-")])
    wait_for(lambda: dev.output().count(" ready.") == workers, 60)
    email = ROOT / "services" / "worker-celery-email"
    worker = next(p for p in dev.processes() if "worker" in p.cmdline() and p.cwd() == str(email) and is_parent(p))
    worker.kill()
    wait_for(lambda: dev.output().count(" ready.") == workers + 1, 40)
    assert "worker-celery-email exited with -9, starting it again" in dev.output()
    (email / "celeryconfig.py").touch()
    wait_for(lambda: dev.output().count(" ready.") == workers + 2, 40)
    assert "worker-celery-email: the code changed, restarting" in dev.output()
    assert "beat: the code changed" not in dev.output()
    dev.press_ctrl_c()
    dev.process.wait(40)
    assert dev.processes() == []
