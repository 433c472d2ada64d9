"""What takes the event loop's whole time to clean up, 5 s; needs no server, but is too slow for the fast tests."""

import asyncio
import threading

import pytest
import structlog

from workerkit.event_loop import close, run_async


@pytest.fixture(autouse=True)
def closed():
    yield
    close()


def test_a_coroutine_that_ignores_its_end_is_left_behind_and_named():
    stubborn = threading.Event()

    async def ignore():
        while not stubborn.is_set():
            try:
                await asyncio.sleep(0.05)
            except asyncio.CancelledError:
                continue

    with structlog.testing.capture_logs() as lines, pytest.raises(TimeoutError):
        run_async(ignore(), timeout=0.1)
    stubborn.set()
    assert "ignore" in lines[0]["coroutine"]
