"""The ledger: what each task did, by its id, in the order in which it was noted."""

from collections import defaultdict
from dataclasses import dataclass, field

from devstack.valkey import Valkey


@dataclass(kw_only=True)
class Events:
    """What tasks did; times are seconds of one clock.

    Args:
        starts: when each task began, by its id.
        effects: when its effect happened.
        ends: when it came to its end.
    """

    starts: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    effects: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    ends: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def add(self, kind: str, task_id: str, when: float) -> None:
        """Take in one event.

        Args:
            kind: "start", "effect" or "end".
            task_id: whose event it is.
            when: seconds.
        """
        {"start": self.starts, "effect": self.effects, "end": self.ends}[kind][task_id].append(when)

    def running(self) -> set[str]:
        """The tasks that have started more often than they have ended."""
        return {task_id for task_id, starts in self.starts.items() if len(starts) > len(self.ends.get(task_id, ()))}

    def total(self, events: dict[str, list[float]]) -> int:
        """How many events there are of one kind, as in `ledger.total(ledger.starts)`."""
        return sum(len(times) for times in events.values())


@dataclass
class Ledger(Events):
    """The events of one side of one scenario; times are seconds of the monotonic clock.

    Args:
        server: the Valkey that no fault touches.
        key: the list that this side's workers append to.
        read_so_far: how much of it is taken in.
    """

    server: Valkey
    key: str
    read_so_far: int = 0

    def read(self) -> None:
        """Take in what was appended since the last time."""
        with self.server.client() as client:
            lines: list[bytes] = client.lrange(self.key, self.read_so_far, -1)
        self.read_so_far += len(lines)
        for line in lines:
            kind, task_id, _pid, when = line.decode().split()
            self.add(kind, task_id, float(when))
