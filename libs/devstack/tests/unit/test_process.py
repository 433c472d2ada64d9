"""What a program leaves behind is ended with it, and nobody else is, however often it is stopped."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from devstack.process import ManagedProcess

# A program that starts another one, says its id, and ends.
LEAVES_AN_ORPHAN = ["sh", "-c", "sleep 600 >/dev/null 2>&1 & echo $!"]


@pytest.fixture
def program(tmp_path: Path) -> Iterator[ManagedProcess]:
    with ManagedProcess("program", LEAVES_AN_ORPHAN, log=tmp_path / "log") as process:
        yield process


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen]:
    process = subprocess.Popen(["sleep", "600"], start_new_session=True)
    yield process
    process.kill()
    process.wait()


def orphan_of(program: ManagedProcess) -> psutil.Process:
    """Waits until the program has ended."""
    program._process.wait(10)
    return psutil.Process(int(program.tail(lines=1)))


def ended(process: psutil.Process) -> bool:
    """Its parent is gone, so it may stay a zombie where nobody collects them."""
    psutil.wait_procs([process], timeout=0.05)
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def until_ended(process: psutil.Process) -> bool:
    return any(ended(process) for _ in range(200))


def test_what_a_program_left_behind_is_ended_after_each_start(program: ManagedProcess):
    first = orphan_of(program)
    assert not ended(first)
    program.stop()
    assert until_ended(first)
    program.start()
    second = orphan_of(program)
    assert second.pid != first.pid
    program.stop()
    assert until_ended(second)


def test_a_program_that_was_stopped_is_left_alone_from_then_on(program: ManagedProcess):
    program.stop()
    other = ManagedProcess("other", LEAVES_AN_ORPHAN, log=program.log)
    other.start()
    orphan = orphan_of(other)
    program._process.pid = other.pid
    program.stop()
    assert not ended(orphan)
    other.stop()
    assert until_ended(orphan)


def test_an_id_that_belongs_to_another_program_by_now_is_left_alone(
    program: ManagedProcess, stranger: subprocess.Popen
):
    orphan = orphan_of(program)
    program._process.pid = stranger.pid
    program.kill()
    program.stop()
    with pytest.raises(subprocess.TimeoutExpired):
        stranger.wait(0.2)
    orphan.kill()


def test_one_that_was_never_started_can_be_stopped(tmp_path: Path):
    ManagedProcess("never", ["true"], log=tmp_path / "log").stop()
