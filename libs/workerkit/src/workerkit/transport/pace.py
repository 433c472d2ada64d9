"""How many messages to claim ahead: about what the worker finishes in a few hundredths of a second."""

AHEAD_SECONDS = 0.03
MOST_AHEAD = 256
_WINDOW_SECONDS = 0.02  # a rate over less than this is noise
_FALL = 0.5  # the share of the old rate that stays when a window was slower


class Pace:
    """Measures how fast tasks finish; rises at once, falls slowly."""

    def __init__(self) -> None:
        self._rate = 0.0
        self._finished = 0
        self._since = 0.0

    def finished(self) -> None:
        """One task has finished."""
        self._finished += 1

    def ahead(self, now: float) -> int:
        """How many messages to hold beside those that run.

        Args:
            now: monotonic seconds.

        Returns:
            None for tasks that take long, so that nothing waits behind them here while another worker is idle.
        """
        passed = now - self._since
        if passed >= _WINDOW_SECONDS:
            rate = self._finished / passed
            self._rate = rate if rate > self._rate else self._rate * _FALL + rate * (1 - _FALL)
            self._finished, self._since = 0, now
        return min(MOST_AHEAD, int(self._rate * AHEAD_SECONDS))

    def stalled(self) -> None:
        """What was claimed ahead did not move: begin anew."""
        self._rate, self._finished = 0.0, 0
