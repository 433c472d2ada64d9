"""The pauses between things of which there may be only so many in a second."""

import pytest

from taskclient.pace import pauses


def test_the_first_does_not_wait_and_the_next_ones_do():
    pace = pauses(2)
    assert next(pace) == 0
    assert next(pace) == pytest.approx(0.5, abs=0.4)
    assert next(pace) == pytest.approx(1, abs=0.4)  # nobody has slept in between


def test_as_fast_as_possible():
    pace = pauses(None)
    assert [next(pace) for _ in range(3)] == [0, 0, 0]


@pytest.mark.parametrize("rate", [0, -1])
def test_no_rate(rate):
    with pytest.raises(ValueError, match="above 0"):
        pauses(rate)
