"""Collects what was measured, round by round, and sums it up."""

import json
import statistics
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Killed:
    """What came of tasks whose worker was killed, in numbers of tasks.

    Args:
        sent: accepted by Redis.
        run: came to their end at least once.
        begun_twice: were begun again.
        run_twice: came to their end more than once.
        kept: did not run, and are still in Redis.
        lost: did not run, and are nowhere.
        back: seconds from the kill until all tasks that it interrupted had begun again; 0 if none did.
    """

    sent: int
    run: int
    begun_twice: int
    run_twice: int
    kept: int
    lost: int
    back: float

    @property
    def guarantee(self) -> str:
        """What that shows."""
        if self.lost:
            return "tasks are lost"
        return "at least once" if not self.kept else "none is lost, some did not come back"


@dataclass(frozen=True)
class Summary:
    """The figures of all rounds."""

    median: float
    lowest: float
    highest: float


@dataclass
class Figures:
    """All figures of a run.

    Args:
        values: by workload, subject and measure, one for each round.
        killed: by subject.
        problems: why something was not measured, by subject.
    """

    values: dict[tuple[str, str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    killed: dict[str, Killed] = field(default_factory=dict)
    problems: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def add(self, workload: str, subject: str, measures: Mapping[str, float]) -> None:
        """Note one round's figures."""
        for measure, value in measures.items():
            self.values[workload, subject, measure].append(value)

    def summary(self, workload: str, subject: str, measure: str) -> Summary | None:
        """Sum up; None if nothing was measured."""
        values = self.values.get((workload, subject, measure))
        return Summary(statistics.median(values), min(values), max(values)) if values else None

    def ratio(self, workload: str, subject: str, measure: str, baseline: str) -> float | None:
        """The ratio of two medians, None where one is missing or the baseline's is 0."""
        own, other = self.summary(workload, subject, measure), self.summary(workload, baseline, measure)
        return own.median / other.median if own and other and other.median else None

    def write(self, path: Path) -> None:
        """Write all of it as JSON."""
        values = [[*key, values] for key, values in self.values.items()]
        killed = {name: vars(each) for name, each in self.killed.items()}
        path.write_text(json.dumps({"values": values, "killed": killed, "problems": self.problems}, indent=1))


def percentile(values: list[float], share: float) -> float:
    """The value that a share of all does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
