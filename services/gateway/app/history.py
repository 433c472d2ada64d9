"""How full the queues were: a bounded memory, so that who comes late still sees the past."""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypedDict

STEP_SECONDS: Final = 5
LENGTH: Final = 720  # points: an hour
MEASURES: Final = ("depth", "oldest_seconds")
_MOST_QUEUES: Final = 200  # in one point; with some 50 bytes for each number an hour of so many is 15 MB


class Columns(TypedDict):
    """The past, one list for each thing measured; all lists are as long as `at`.

    Args:
        at: when, in seconds since 1970.
        dead: dead letters of all services.
        queues: of each queue its MEASURES; None where it was not there, or empty, or its age not known.
    """

    at: list[float]
    dead: list[int]
    queues: dict[str, dict[str, list[float | None]]]


class History:
    """The last hour in steps of five seconds.

    Args:
        length: how many points are kept.
    """

    def __init__(self, length: int = LENGTH) -> None:
        self._points: deque[tuple[float, int, dict[str, tuple[float | None, ...]]]] = deque(maxlen=length)

    def due(self, at: float) -> bool:
        """Whether it is time for the next point; `at` in seconds since 1970."""
        return not self._points or at - self._points[-1][0] >= STEP_SECONDS - 0.5  # a tick may come a little early

    def add(self, at: float, dead: int, queues: Iterable[Mapping[str, Any]]) -> None:
        """Remember a moment.

        Args:
            at: when, in seconds since 1970.
            dead: dead letters of all services.
            queues: the queues' states; the first 200 count.
        """
        states = {state["queue"]: tuple(_rounded(state[name]) for name in MEASURES) for state in queues}
        self._points.append((at, dead, dict(list(states.items())[:_MOST_QUEUES])))

    def columns(self) -> Columns:
        """All that is remembered."""
        names = sorted({name for _, _, queues in self._points for name in queues})
        absent = (None,) * len(MEASURES)
        return {
            "at": [round(at, 1) for at, _, _ in self._points],
            "dead": [dead for _, dead, _ in self._points],
            "queues": {
                name: {
                    measure: [queues.get(name, absent)[place] for _, _, queues in self._points]
                    for place, measure in enumerate(MEASURES)
                }
                for name in names
            },
        }


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 1)
