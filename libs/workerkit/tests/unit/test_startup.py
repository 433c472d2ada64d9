"""What the start-up checks make of a server's answer, and which of them may be skipped."""

import subprocess
import sys
from typing import get_args

import pytest

from workerkit.settings import InvalidSettings, StartupCheck, WorkerSettings
from workerkit.startup.problem import Problem, refuse_if_any
from workerkit.startup.redis_server import problems

GOOD = {"redis_version": "7.2.4", "maxmemory": 0, "maxmemory_policy": "noeviction", "aof_enabled": 1}


def checks(*, production: bool = True, **info: object) -> list[str]:
    return [problem.check for problem in problems(GOOD | info, production=production)]


def test_a_good_server():
    assert checks() == []


def test_a_server_that_tells_nothing_is_not_refused():
    assert list(problems({}, production=True)) == []


@pytest.mark.parametrize(
    ("info", "found"),
    [
        ({"maxmemory": 1, "maxmemory_policy": "volatile-ttl"}, ["eviction"]),
        ({"maxmemory": 0, "maxmemory_policy": "volatile-ttl"}, []),
        ({"aof_enabled": 0}, ["append-only-file"]),
        ({"redis_version": "6.0.20"}, ["redis-version"]),
        ({"redis_version": "5.0"}, ["redis-version"]),
        ({"redis_version": "6.2.0"}, []),
        ({"redis_version": "10.0.1"}, []),
        ({"redis_version": "unstable"}, []),
        ({"redis_version": "5.0.1", "aof_enabled": 0}, ["append-only-file", "redis-version"]),
    ],
)
def test_what_is_found(info, found):
    assert checks(**info) == found


def test_development_needs_no_append_only_file():
    assert checks(production=False, aof_enabled=0) == []


def test_a_skipped_problem_does_not_end_the_worker_and_another_one_does():
    skipped, other = Problem("root", "it runs as root"), Problem("eviction", "Redis evicts")
    refuse_if_any([skipped], ("root",))
    with pytest.raises(SystemExit) as ended:
        refuse_if_any([skipped, other], ("root",))
    assert ended.value.code == 78


def test_checks_are_skipped_by_name(monkeypatch):
    monkeypatch.setenv("SKIP_STARTUP_CHECKS", "root, append-only-file,")
    assert WorkerSettings().skip_startup_checks == ("root", "append-only-file")
    monkeypatch.delenv("SKIP_STARTUP_CHECKS")
    assert WorkerSettings().skip_startup_checks == ()


def test_a_mistyped_name_is_refused_with_all_names(monkeypatch):
    monkeypatch.setenv("SKIP_STARTUP_CHECKS", "rooot")
    with pytest.raises(InvalidSettings) as caught:
        WorkerSettings()
    assert all(name in str(caught.value) for name in get_args(StartupCheck))


def test_a_service_without_a_database_needs_no_driver_for_it():
    code = (
        "import sys, workerkit.startup.steps as s; print('sqlalchemy' in sys.modules, list(s.surroundings.database()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "[]"]


@pytest.mark.parametrize("seconds", ["-1", "soon"])
def test_a_wrong_drain_time_is_refused(monkeypatch, seconds):
    monkeypatch.setenv("TASK_DRAIN_SECONDS", seconds)
    with pytest.raises(InvalidSettings, match="TASK_DRAIN_SECONDS"):
        WorkerSettings()
