"""Shared memory in which each child writes what it runs; the parent reads it, also after the child was killed."""

import mmap
import time
from collections.abc import Sequence

MOST_FINISHED = 1024  # more than a child ever claims at once
NEAR_SECONDS = 2.0  # a time limit that is so near is looked at closely, any other about once a second
_ID_BYTES = 128
_FREE, _RUNNING = 0, 1
# Words of a child's part. It writes all of them but SOFT_TAG, and TAKEN while it stands still.
_STATE, _TAG, _STARTED, _SOFT, _HARD, _HELD, _ORDERS, _DONE, _SOFT_TAG, _TAKEN, _FINISHED = range(11)
_FIRST_FINISHED = 11
_ID = _FIRST_FINISHED + MOST_FINISHED
_COUNTS = _ID + _ID_BYTES // 8
_WATCHED, _EVENTS = 0, 1  # words of all
_HEAD = 8


class Table:
    """The memory of all children; made before the first one is forked.

    Args:
        children: the most there can be.
        tasks: the names of all tasks, for counting.
    """

    def __init__(self, children: int, tasks: Sequence[str]) -> None:
        self.tasks = sorted(tasks)
        size = _COUNTS + len(self.tasks)
        self._words = memoryview(mmap.mmap(-1, 8 * (_HEAD + children * size))).cast("Q")
        parts = [self._words[at : at + size] for at in range(_HEAD, _HEAD + children * size, size)]
        self.slots = [Slot(part) for part in parts]

    @property
    def watched(self) -> bool:
        """The parent looks at short intervals; else it wants to be told when a task with short limits begins."""
        return bool(self._words[_WATCHED])

    @watched.setter
    def watched(self, value: bool) -> None:
        self._words[_WATCHED] = value

    @property
    def events(self) -> bool:
        """Events of tasks are wanted."""
        return bool(self._words[_EVENTS])

    @events.setter
    def events(self, value: bool) -> None:
        self._words[_EVENTS] = value

    def totals(self) -> dict[str, int]:
        """How often each task was run, by all children there ever were."""
        return {name: sum(slot.count(at) for slot in self.slots) for at, name in enumerate(self.tasks)}


class Slot:
    """One child's part: the message that it runs, and those it has finished but not yet acknowledged."""

    def __init__(self, words: memoryview) -> None:
        self._words = words

    def clear(self) -> None:
        """For a new child; the counts stay."""
        for at in (*range(_FIRST_FINISHED), *range(_ID, _COUNTS)):
            self._words[at] = 0

    @property
    def holder(self) -> str:
        """The holder that the child is for Redis; empty before it has one."""
        return self._words[_ID:_COUNTS].tobytes().rstrip(b"\0").decode()

    @holder.setter
    def holder(self, name: str) -> None:
        self._words.cast("B")[8 * _ID : 8 * _COUNTS] = name.encode()[:_ID_BYTES].ljust(_ID_BYTES, b"\0")

    def begin(self, tag: int, soft: int, hard: int) -> None:
        """The child begins with a message; limits in milliseconds, 0 for none."""
        words = self._words
        words[_TAG], words[_SOFT], words[_HARD] = tag, soft, hard
        words[_STARTED] = time.monotonic_ns()
        words[_STATE] = _RUNNING  # last: whoever sees it, sees the rest

    def end(self, tag: int, count: int) -> None:
        """It has finished with it, and will say so to Redis; `count` is its task's place in the table."""
        words = self._words
        finished = words[_FINISHED]
        words[_FIRST_FINISHED + finished % MOST_FINISHED] = tag
        words[_FINISHED] = finished + 1
        words[_STATE] = _FREE
        words[_DONE] += 1
        words[_COUNTS + count] += 1

    def leave(self) -> None:
        """It does not run it: another verdict was given."""
        self._words[_STATE] = _FREE

    def confirmed(self, held: int) -> None:
        """Redis knows what was finished; `held` messages were claimed and are not finished."""
        self._words[_FINISHED] = 0
        self._words[_HELD] = held

    @property
    def finished(self) -> list[str]:
        """Tags of what was finished, of which Redis may not know yet."""
        return [
            str(tag)
            for tag in self._words[_FIRST_FINISHED : _FIRST_FINISHED + min(self._words[_FINISHED], MOST_FINISHED)]
        ]

    @property
    def running(self) -> str | None:
        """The tag of the message that runs."""
        return str(self._words[_TAG]) if self._words[_STATE] == _RUNNING else None

    @property
    def seconds(self) -> float:
        """For how long it has been running."""
        return (time.monotonic_ns() - self._words[_STARTED]) / 1e9

    @property
    def limits(self) -> tuple[float, float]:
        """Its soft and its hard time limit in seconds; 0 is none."""
        return self._words[_SOFT] / 1000, self._words[_HARD] / 1000

    @property
    def limit_is_near(self) -> bool:
        """One of them is over soon."""
        soft, hard = self.limits
        latest = self.seconds + NEAR_SECONDS
        return 0 < hard < latest or (0 < soft < latest and self.interrupted != self.running)

    @property
    def held(self) -> int:
        """How many messages it held after its last step; 0 when all is finished and acknowledged."""
        return self._words[_HELD]

    @property
    def done(self) -> int:
        """How many messages the child has finished."""
        return self._words[_DONE]

    @property
    def orders(self) -> int:
        """The number of the last orders that the child has followed."""
        return self._words[_ORDERS]

    @orders.setter
    def orders(self, number: int) -> None:
        self._words[_ORDERS] = number

    @property
    def taken(self) -> bool:
        """The parent has put back what waited behind the message that runs."""
        return bool(self._words[_TAKEN])

    @taken.setter
    def taken(self, value: bool) -> None:
        self._words[_TAKEN] = value

    @property
    def interrupted(self) -> str:
        """The tag of the message whose soft limit is over; written by the parent before it signals."""
        return str(self._words[_SOFT_TAG])

    @interrupted.setter
    def interrupted(self, tag: str) -> None:
        self._words[_SOFT_TAG] = int(tag)

    def count(self, task: int) -> int:
        """How often the task at that place of the table was run."""
        return self._words[_COUNTS + task]
