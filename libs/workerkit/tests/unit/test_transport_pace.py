"""How many messages are claimed ahead."""

from workerkit.transport.pace import AHEAD_SECONDS, MOST_AHEAD, Pace


def run(pace: Pace, rate: float, seconds: float, since: float) -> int:
    """Let tasks finish at a rate, look every 25 ms, and return what is claimed ahead in the end."""
    ahead, steps = 0, round(seconds / 0.025)
    for step in range(1, steps + 1):
        for _ in range(round(rate * 0.025)):
            pace.finished()
        ahead = pace.ahead(since + step * 0.025)
    return ahead


def test_long_tasks_are_claimed_one_by_one() -> None:
    assert run(Pace(), 0, 1, 0) == 0


def test_short_tasks_are_claimed_for_a_few_hundredths_of_a_second() -> None:
    assert run(Pace(), 2000, 1, 0) == round(2000 * AHEAD_SECONDS)


def test_there_is_a_limit() -> None:
    assert run(Pace(), 100_000, 1, 0) == MOST_AHEAD


def test_a_slower_pace_is_followed() -> None:
    pace = Pace()
    fast = run(pace, 4000, 1, 0)
    assert run(pace, 400, 1, 1) < fast / 5


def test_a_stall_begins_anew() -> None:
    pace = Pace()
    run(pace, 4000, 1, 0)
    pace.stalled()
    assert pace.ahead(1.001) == 0
