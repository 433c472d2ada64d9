"""The health file and its two probes."""

import subprocess
import sys
import time

import pytest

from workerkit.health import DISCONNECTED, DRAINING, READY, STARTING, check, main, text
from workerkit.health_file import Health


@pytest.fixture
def health(tmp_path):
    return Health(tmp_path / "health")


def write(path, **changes):
    now = time.monotonic()
    path.write_text(text(**{"phase": READY, "tick": now, "written": now} | changes))


@pytest.mark.parametrize("phase", [STARTING, DISCONNECTED, DRAINING])
def test_only_a_ready_worker_is_ready_but_all_live(health, tmp_path, phase):
    health.enter(phase)
    assert check("live", tmp_path / "health") is None
    assert check("ready", tmp_path / "health") == f"the phase is {phase}"
    health.enter(READY)
    assert check("ready", tmp_path / "health") is None


def test_no_file_is_neither_live_nor_ready(tmp_path):
    assert "no health file yet" in check("live", tmp_path / "none.json")


def test_a_silent_process_does_not_live(tmp_path):
    write(tmp_path / "h.json", written=time.monotonic() - 60)
    assert "gone or frozen" in check("live", tmp_path / "h.json")


def test_a_file_of_before_the_machine_booted_does_not_count(tmp_path):
    write(tmp_path / "h.json", written=time.monotonic() + 1e6)
    assert "gone or frozen" in check("live", tmp_path / "h.json")


def test_a_slow_loop_is_not_ready_but_lives(tmp_path):
    write(tmp_path / "h.json", tick=time.monotonic() - 20)
    assert "the loop has not turned for 20 s" in check("ready", tmp_path / "h.json")
    assert check("live", tmp_path / "h.json") is None


def test_a_stuck_loop_does_not_live_but_a_disconnected_one_does(tmp_path):
    write(tmp_path / "h.json", tick=time.monotonic() - 90)
    assert "the loop has not turned for 90 s" in check("live", tmp_path / "h.json")
    write(tmp_path / "h.json", tick=time.monotonic() - 90, phase=DISCONNECTED)
    assert check("live", tmp_path / "h.json") is None


def test_half_a_file_is_an_answer_and_no_crash(tmp_path):
    (tmp_path / "h.json").write_text("1 rea")
    assert "no health file yet" in check("live", tmp_path / "h.json")


def test_wrong_usage_says_how(capsys):
    assert main(["alive"]) == 2
    assert "live|ready" in capsys.readouterr().err


def test_a_probe_imports_next_to_nothing(health, tmp_path):
    health.enter(READY)
    code = (
        "import sys; from workerkit.health import main; "
        "print(main(['ready']), {'celery', 'json', 're', 'threading'} & sys.modules.keys())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"HEALTH_FILE": str(tmp_path / "health")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["ready:", "ok", "0", "set()"]
