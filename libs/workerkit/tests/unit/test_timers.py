"""Cancelled timers leave, the others stay in their order; what is repeated is so once, however often it begins."""

import random

from kombu.asynchronous.timer import Timer

from workerkit.timers import Repeated, drop_cancelled


def test_cancelled_timers_are_forgotten_and_the_others_come_in_their_order() -> None:
    timer, ran = Timer(), []
    waits = [number / 1000 for number in range(1000)]
    random.Random(1).shuffle(waits)  # noqa: S311 - no secret
    entries = {wait: timer.call_after(wait - 60, ran.append, (wait,)) for wait in waits}
    for wait, entry in entries.items():
        if wait not in {0.1, 0.5, 0.9}:
            entry.cancel()
    drop_cancelled(timer)
    assert len(timer._queue) == 3
    for _, entry in timer:
        if entry is None:
            break
        entry()
    assert ran == [0.1, 0.5, 0.9]


def test_the_loop_goes_on_when_they_are_forgotten_in_its_middle() -> None:
    timer, ran = Timer(), []
    timer.call_after(-3, drop_cancelled, (timer,))
    timer.call_after(-2, ran.append, ("cancelled",)).cancel()
    timer.call_after(-1, ran.append, ("kept",))
    for _, entry in timer:
        if entry is None:
            break
        entry()
    assert ran == ["kept"]


def test_what_begins_again_at_each_connection_is_called_by_one_timer_only() -> None:
    timer, ran, repeated = Timer(), [], Repeated()
    for connection in range(3):
        repeated.begin(timer, (0.001, lambda connection=connection: ran.append(connection)))
    drop_cancelled(timer)
    assert len(timer._queue) == 1
    timer._queue[0][2]()
    assert ran == [2]
