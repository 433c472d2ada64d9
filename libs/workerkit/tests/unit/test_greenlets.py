"""Synchronous code that waits for what an event loop does."""

import asyncio
from contextvars import ContextVar

import pytest

from workerkit.async_tasks import greenlets
from workerkit.async_tasks.greenlets import in_greenlet, may_wait, wait

VARIABLE = ContextVar("variable", default="none")


def run(function):
    async def main():
        return await in_greenlet(function)

    return asyncio.run(main())


async def slowly(value, seconds=0.01):
    await asyncio.sleep(seconds)
    return value


def test_it_waits_for_coroutines_and_futures():
    def function():
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        loop.call_later(0.01, future.set_result, "future")
        return [wait(slowly("coroutine")), wait(future), wait(slowly("again"))]

    assert run(function) == ["coroutine", "future", "again"]
    assert not may_wait()


def test_errors_pass_in_both_directions():
    async def fail():
        await asyncio.sleep(0)
        raise ZeroDivisionError("inner")

    def function():
        with pytest.raises(ZeroDivisionError, match="inner"):
            wait(fail())
        raise ValueError("outer")

    with pytest.raises(ValueError, match="outer"):
        run(function)


def test_many_run_at_a_time_each_in_its_own_context():
    def function(number):
        assert VARIABLE.get() == "none"
        VARIABLE.set(f"set by {number}")
        wait(slowly(None, (number % 7) / 1000))
        inner = wait(asyncio.gather(slowly(number), read()))
        return inner, VARIABLE.get()

    async def read():
        await asyncio.sleep(0)
        return VARIABLE.get()

    async def one(number):
        return await in_greenlet(lambda: function(number))

    async def main():
        return await asyncio.gather(*(one(number) for number in range(100)))

    for _ in range(2):  # the second time in greenlets that were used before
        assert asyncio.run(main()) == [([n, f"set by {n}"], f"set by {n}") for n in range(100)]
    assert VARIABLE.get() == "none"


def test_a_cancellation_reaches_the_coroutine():
    seen = []

    async def body():
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            seen.append("cleaned")
            raise

    async def main():
        task = asyncio.create_task(started())
        await asyncio.sleep(0.01)
        task.cancel()
        await task

    async def started():
        await in_greenlet(lambda: wait(body()))

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())
    assert seen == ["cleaned"]


def test_synchronous_code_in_a_coroutine_may_wait_as_well():
    async def body():
        assert greenlets.in_coroutine()
        found = wait(slowly("inner"))
        assert greenlets.in_coroutine()
        await asyncio.sleep(0)
        return found

    assert run(lambda: (wait(body()), greenlets.in_coroutine())) == ("inner", False)
