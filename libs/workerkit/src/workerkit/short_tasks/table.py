"""Shared memory in which each child writes what it runs; the parent reads it, also after the child was killed."""

import mmap
import time
from collections.abc import Sequence
from uuid import uuid4

MOST_FINISHED = 1024  # more than a child ever claims at once
NEAR_SECONDS = 2.0  # a time limit that is so near is looked at closely, any other about once a second
_ID_BYTES = 128
_NONE = 0  # no tag
# Words of a child's part. It writes all of them but SOFT_TAG, and TAKEN while it stands still.
_STEPPED, _STEPPED_AT, _HELD, _ORDERS, _DONE, _SOFT_TAG, _TAKEN, _FINISHED, _CONFIRMED, _LEAVING = range(10)
_FIRST_FINISHED = 10
_ID = _FIRST_FINISHED + MOST_FINISHED
_ENTRIES = _ID + _ID_BYTES // 8
_TAG, _STARTED, _SOFT, _HARD, _THREADS = range(5)  # words of an entry; there is one for each message that runs
_ENTRY = 5
_WATCHED, _EVENTS = 0, 1  # words of all
_HEAD = 8


class Table:
    """The memory of all children; made before the first one is forked.

    Args:
        children: the most there can be.
        tasks: the names of all tasks, for counting.
        width: how many messages a child runs at a time.
        patience: seconds for which a child may be busy with one message before that is remarkable; above 0 where
            messages take turns.
    """

    def __init__(self, children: int, tasks: Sequence[str], *, width: int = 1, patience: float = 0.0) -> None:
        self.worker = uuid4().hex[:8]  # the children's holders have it in common
        self.tasks = sorted(tasks)
        size = _ENTRIES + _ENTRY * width + len(self.tasks)
        self._words = memoryview(mmap.mmap(-1, 8 * (_HEAD + children * size))).cast("Q")
        parts = [self._words[at : at + size] for at in range(_HEAD, _HEAD + children * size, size)]
        self.slots = [Slot(part, width, patience) for part in parts]

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
    """One child's part: the messages that it runs, and those it has finished but not yet acknowledged.

    At any moment a child is in the code of one message at most: that one is stepped. The others that run wait for
    something.
    """

    def __init__(self, words: memoryview, width: int, patience: float) -> None:
        self.patience = patience
        self._words = words
        self._counts = _ENTRIES + _ENTRY * width
        self._entries = range(_ENTRIES, self._counts, _ENTRY)
        self._free = list(self._entries)  # the child's own
        self._at: dict[int, int] = {}

    def clear(self) -> None:
        """For a new child; the counts stay."""
        for at in (*range(_FIRST_FINISHED), *range(_ID, self._counts)):
            self._words[at] = 0

    @property
    def holder(self) -> str:
        """The holder that the child is for Redis; empty before it has one."""
        return self._words[_ID:_ENTRIES].tobytes().rstrip(b"\0").decode()

    @holder.setter
    def holder(self, name: str) -> None:
        self._words.cast("B")[8 * _ID : 8 * _ENTRIES] = name.encode()[:_ID_BYTES].ljust(_ID_BYTES, b"\0")

    def begin(self, tag: int, soft: int, hard: int) -> None:
        """The child begins with a message, and is in its code; limits in milliseconds, 0 for none."""
        words, at = self._words, self._free.pop()
        self._at[tag] = at
        now = time.monotonic_ns()
        words[at + _STARTED], words[at + _SOFT], words[at + _HARD], words[at + _THREADS] = now, soft, hard, 0
        words[at + _TAG] = tag  # last: whoever sees it, sees the rest
        words[_STEPPED_AT] = now
        words[_STEPPED] = tag

    def step(self, tag: int) -> None:
        """It is in the code of that message, which has begun, again."""
        words = self._words
        words[_STEPPED_AT] = time.monotonic_ns()
        words[_STEPPED] = tag

    def use_threads(self, tag: int, number: int) -> None:
        """So many threads work for that message now; nothing is noted if it does not run any more."""
        at = self._at.get(tag)
        if at is not None:
            self._words[at + _THREADS] = number

    def pause(self) -> None:
        """It is in the code of none."""
        self._words[_STEPPED] = _NONE

    def end(self, tag: int, count: int) -> None:
        """It has finished with it, and will say so to Redis; `count` is its task's place in the table."""
        words = self._words
        finished = words[_FINISHED]
        words[_FIRST_FINISHED + finished % MOST_FINISHED] = tag
        words[_FINISHED] = finished + 1
        words[_DONE] += 1
        words[self._counts + count] += 1
        self.leave(tag)

    def leave(self, tag: int) -> None:
        """It does not run it, or not any more: another verdict was given."""
        words, at = self._words, self._at.pop(tag, None)
        if words[_STEPPED] == tag:
            words[_STEPPED] = _NONE
        if at is not None:
            words[at + _TAG] = _NONE
            self._free.append(at)

    def mark(self) -> int:
        """How much is finished now; for `confirmed`."""
        return self._words[_FINISHED]

    def confirmed(self, mark: int | None, held: int) -> None:
        """Redis knows what was finished at that mark; `held` messages were claimed and are not finished."""
        if mark is not None:
            self._words[_CONFIRMED] = mark
        self._words[_HELD] = held

    @property
    def finished(self) -> list[str]:
        """Tags of what was finished, of which Redis may not know yet."""
        first, end = self._words[_CONFIRMED], self._words[_FINISHED]
        first = max(first, end - MOST_FINISHED)
        return [str(self._words[_FIRST_FINISHED + number % MOST_FINISHED]) for number in range(first, end)]

    @property
    def running(self) -> list[str]:
        """The tags of the messages that run, whether their code is at work or waits."""
        return [str(tag) for tag in (self._words[at + _TAG] for at in self._entries) if tag]

    @property
    def threaded(self) -> list[str]:
        """The tags of those for which threads work."""
        words = self._words
        return [str(words[at + _TAG]) for at in self._entries if words[at + _TAG] and words[at + _THREADS]]

    @property
    def stepped(self) -> str | None:
        """The tag of the message whose code is at work."""
        tag = self._words[_STEPPED]
        return str(tag) if tag else None

    @property
    def seconds(self) -> float:
        """For how long the child has been in the code of that message, without a pause."""
        return (time.monotonic_ns() - self._words[_STEPPED_AT]) / 1e9

    def age(self, tag: str) -> float:
        """For how many seconds a message has been running; 0 if it does not run."""
        at = self._find(tag)
        return 0.0 if at is None else (time.monotonic_ns() - self._words[at + _STARTED]) / 1e9

    def limits(self, tag: str) -> tuple[float, float]:
        """The soft and the hard time limit of a message that runs, in seconds; 0 is none."""
        at = self._find(tag)
        return (0.0, 0.0) if at is None else (self._words[at + _SOFT] / 1000, self._words[at + _HARD] / 1000)

    def _find(self, tag: str) -> int | None:
        return next((at for at in self._entries if self._words[at + _TAG] == int(tag)), None)

    @property
    def limit_is_near(self) -> bool:
        """A time limit of the message whose code is at work is over soon."""
        tag = self.stepped
        if tag is None or self.seconds < self.patience:
            return False
        soft, hard = self.limits(tag)
        latest = self.age(tag) + NEAR_SECONDS
        return 0 < hard < latest or (0 < soft < latest and self.interrupted != tag)

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
    def leaving(self) -> bool:
        """The child claims no more, and ends as soon as it has finished what it runs: it may be replaced."""
        return bool(self._words[_LEAVING])

    @leaving.setter
    def leaving(self, value: bool) -> None:
        self._words[_LEAVING] = value

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
        return self._words[self._counts + task]
