"""Coroutines on the process's one event loop."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar

import pytest
import structlog
from celery.exceptions import SoftTimeLimitExceeded

from workerkit.event_loop import WrongThread, at_loop_end, close, run_async


@pytest.fixture(autouse=True)
def closed():
    yield
    close()


async def where():
    return os.getpid(), threading.get_ident(), id(asyncio.get_running_loop())


async def double(number):
    await asyncio.sleep(0)
    return 2 * number


def test_results_and_errors_come_through():
    async def fail():
        raise KeyError("gone")

    assert run_async(double(21)) == 42
    with pytest.raises(KeyError, match="gone"):
        run_async(fail())


def test_all_calls_of_all_threads_share_one_loop():
    with ThreadPoolExecutor(20) as pool:
        places = set(pool.map(lambda _: run_async(where()), range(200)))
    assert len(places) == 1
    assert places.pop()[1] != threading.get_ident()


def test_calls_run_side_by_side():
    began = time.monotonic()
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda _: run_async(asyncio.sleep(0.3)), range(10)))
    assert time.monotonic() - began < 1.5


def test_context_variables_come_along():
    secret = ContextVar("secret", default="none")
    secret.set("mine")

    async def read():
        return secret.get(), structlog.contextvars.get_contextvars().get("task_id")

    with structlog.contextvars.bound_contextvars(task_id="t-1"):
        assert run_async(read()) == ("mine", "t-1")
    assert run_async(read()) == ("mine", None)


@pytest.fixture
def seen():
    return []


@pytest.fixture
def patient(seen):
    async def wait_long():
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            await asyncio.sleep(0.2)  # cleaning up takes time
            seen.append("cleaned up")
            raise

    return wait_long


def test_a_soft_time_limit_cancels_the_coroutine_before_it_propagates(patient, seen):
    def on_alarm(*_):
        raise SoftTimeLimitExceeded

    before = signal.signal(signal.SIGALRM, on_alarm)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        with pytest.raises(SoftTimeLimitExceeded):
            run_async(patient())
    finally:
        signal.signal(signal.SIGALRM, before)
    assert seen == ["cleaned up"]
    assert run_async(double(1)) == 2


def test_a_timeout_cancels_too(patient, seen):
    with pytest.raises(TimeoutError):
        run_async(patient(), timeout=0.1)
    assert seen == ["cleaned up"]


def test_waiting_on_the_loop_for_the_loop_is_refused():
    async def nested():
        return run_async(double(1))

    with pytest.raises(WrongThread, match=r"await .*double.* instead"):
        run_async(nested())
    assert run_async(asyncio.to_thread(lambda: run_async(double(3)))) == 6  # another thread may


def test_closing_runs_the_hooks_on_the_loop_and_the_next_call_opens_a_new_one():
    ends = []

    async def note(name):
        ends.append((name, await where()))

    async def register():
        at_loop_end(lambda: note("first"))
        at_loop_end(lambda: note("second"))
        return await where()

    place = run_async(register())
    close()
    close()
    assert ends == [("second", place), ("first", place)]
    assert run_async(double(2)) == 4
    close()
    assert len(ends) == 2


def test_a_hook_from_elsewhere_is_refused():
    with pytest.raises(WrongThread, match="run_async"):
        at_loop_end(lambda: asyncio.sleep(0))


def test_a_coroutine_that_exits_does_not_end_the_loop_for_all():
    async def leave():
        sys.exit(3)

    for _ in range(200):  # at once after it, as a task comes after a task
        with pytest.raises(SystemExit):
            run_async(leave())
        assert run_async(double(2), timeout=10) == 4


FORK = """
import asyncio, os
from workerkit import event_loop
from workerkit.event_loop import run_async

async def where():
    await asyncio.sleep(0.01)
    return os.getpid()

assert run_async(where()) == os.getpid()
event_loop._lock.acquire()  # some thread of the parent holds it at the worst moment
child = os.fork()
if not child:
    assert run_async(where()) == os.getpid()
    event_loop.close()
    os._exit(7)
event_loop._lock.release()
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
assert run_async(where(), timeout=5) == os.getpid()  # the child's end did not take the parent's loop along

async def at_end():
    print("closed at the end")
async def register():
    event_loop.at_loop_end(at_end)
run_async(register())
"""


def test_a_forked_child_makes_its_own_loop_and_the_process_closes_its_own_at_the_end():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", FORK], capture_output=True, text=True, check=False, timeout=30
    )
    assert (done.stdout, done.stderr) == ("closed at the end\n", "")
