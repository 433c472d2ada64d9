"""The pipes of a pool's process: whatever is written and taken back at the same time, each job is read once."""

import os
import pickle
import random
import time
from collections.abc import Callable, Iterator
from struct import pack

import pytest
from billiard.pool import ACK, READY  # type: ignore[attr-defined]

from workerkit.prefork.pipes import Jobs, Reports


def alive() -> bool:
    return True


def write(jobs: Jobs, thing: object) -> None:
    body = pickle.dumps(thing)
    os.write(jobs._writer.fileno(), pack(">I", len(body)) + body)


def read(reports: Reports) -> list[object]:
    return [pickle.loads(report) for report in reports.read()]  # noqa: S301


@pytest.fixture
def reports() -> Iterator[Reports]:
    pipe = Reports()
    yield pipe
    pipe.close()


@pytest.fixture
def jobs(reports: Reports) -> Iterator[Jobs]:
    pipe = Jobs(reports)
    yield pipe
    pipe.close()
    pipe.close_turn()


@pytest.fixture
def fork() -> Iterator[Callable[[Callable[[], None]], int]]:
    """Runs something in a process of its own, which is killed in the end."""
    started: list[int] = []

    def run(work: Callable[[], None]) -> int:
        child = os.fork()
        if not child:
            try:
                work()
            finally:
                os._exit(0)
        started.append(child)
        return child

    yield run
    for child in started:
        os.kill(child, 9)
        os.waitpid(child, 0)


def test_that_a_job_is_finished_is_told_with_the_next_report(reports: Reports):
    reports.put((READY, 1))
    assert reports.read() == []
    reports.put((ACK, 2))
    assert read(reports) == [(READY, 1), (ACK, 2)]
    reports.put((READY, 2))
    reports.flush()
    assert read(reports) == [(READY, 2)]


def test_a_large_report_is_not_kept_and_not_read_before_it_is_whole(reports: Reports, fork):
    large = "x" * 300_000  # more than a pipe takes
    fork(lambda: reports.put((READY, large)))
    found: list[object] = []
    reads = 0
    while not found:
        found += read(reports)
        reads += 1
    assert found == [(READY, large)]
    assert reads > 2


def test_what_a_lost_process_half_wrote_is_not_taken_for_the_next_ones(reports: Reports):
    os.write(reports._writer.fileno(), pack(">i", 100) + b"half")
    assert reports.read() == []
    reports.renew()
    reports.put((ACK, 1))
    assert read(reports) == [(ACK, 1)]


def test_when_nobody_can_write_any_more_it_says_so(reports: Reports):
    reports._writer.close()
    with pytest.raises(EOFError):
        reports.read()


def test_the_reader_tells_what_it_kept_before_it_waits(jobs: Jobs, reports: Reports, fork):
    def work() -> None:
        reports.put((READY, 1))
        jobs.get_payload()

    fork(work)
    found: list[object] = []
    while not found:
        found = read(reports)
    assert found == [(READY, 1)]


def test_unread_jobs_come_back_in_their_order(jobs: Jobs):
    for number in range(3):
        write(jobs, number)
    assert pickle.loads(jobs.get_payload()) == 0  # noqa: S301
    assert [pickle.loads(job) for job in jobs.take_back(alive)] == [1, 2]  # noqa: S301
    assert jobs.take_back(alive) == []


def test_nothing_is_taken_from_a_process_that_waits_or_has_died(jobs: Jobs, fork):
    reader = fork(jobs.get_payload)
    time.sleep(0.2)  # it holds the turn by then; if not, there is nothing to take either
    assert jobs.take_back(alive) == []
    write(jobs, "job")
    assert os.waitid(os.P_PID, reader, os.WEXITED | os.WNOWAIT).si_pid == reader
    write(jobs, "unread")
    assert jobs.take_back(lambda: False) == []
    assert [pickle.loads(job) for job in jobs.take_back(alive)] == ["unread"]  # noqa: S301


def test_a_killed_reader_leaves_no_lock(jobs: Jobs, fork):
    reader = fork(jobs.get_payload)
    time.sleep(0.2)
    os.kill(reader, 9)
    os.waitid(os.P_PID, reader, os.WEXITED | os.WNOWAIT)
    write(jobs, "next")
    assert pickle.loads(jobs.get_payload()) == "next"  # noqa: S301


def test_each_job_is_read_or_taken_back_and_none_twice(jobs: Jobs, reports: Reports, fork):
    def work() -> None:
        while True:
            number = pickle.loads(jobs.get_payload())  # noqa: S301
            reports.put((ACK, number))
            for _ in range(number % 7 * 50):  # now and then there are several behind this one
                pass

    fork(work)
    waiting, written, seen, taken = list(range(5_000)), 0, [], 0
    until = time.monotonic() + 60
    while len(seen) < 5_000 and time.monotonic() < until:
        while waiting and written - len(seen) < 30:
            write(jobs, waiting.pop())
            written += 1
        if random.random() < 0.5:  # noqa: S311
            back = [pickle.loads(job) for job in jobs.take_back(alive)]  # noqa: S301
            waiting += back
            written -= len(back)
            taken += len(back)
        seen += [number for _, number in read(reports)]  # type: ignore[misc]
    assert sorted(seen) == list(range(5_000))
    assert taken > 100
