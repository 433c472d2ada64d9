"""Counts what came of one side of a scenario, and judges the template by it."""

from dataclasses import dataclass, field
from typing import Protocol

from chaos.ledger import Events
from chaos.subjects import Kind, Side
from chaos.traces import Whereabouts


@dataclass(frozen=True)
class Counts:
    """The figures of one side.

    Args:
        scenario: its name.
        kind: which side.
        sent: messages that were accepted.
        starts: how often a task began.
        run: messages whose task came to its end.
        dead: messages that were kept as dead letters instead.
        stuck: messages that did not run and lie in Redis.
        lost: messages that did not run and are nowhere.
        run_twice: messages whose task came to its end more than once.
        effects_twice: messages whose effect happened more than once.
        exits: how often a worker ended by itself.
        recovery: seconds, None if it did not recover; see `recovery_counts`.
        recovery_counts: whether the scenario measures recovery.
        notes: what else is worth knowing.
        problems: what the template promised and did not keep.
    """

    scenario: str
    kind: Kind
    sent: int
    starts: int
    run: int
    dead: int
    stuck: int
    lost: int
    run_twice: int
    effects_twice: int
    exits: int
    recovery: float | None
    recovery_counts: bool
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class Bounded(Protocol):
    """What counting needs to know of a scenario."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def seconds(self) -> float:
        """The bound of its run."""

    @property
    def may_exit(self) -> bool:
        """Whether the fault itself ends a worker."""


class Counted(Protocol):
    """What counting needs to know of a run; the attributes are those of `chaos.subjects.Side`."""

    kind: Kind
    sent: list[str]
    poison: set[str]
    notes: list[str]
    problems: list[str]
    recovery: float | None
    recovery_counts: bool

    @property
    def scenario(self) -> Bounded:
        """The scenario."""

    @property
    def ledger(self) -> Events:
        """What its tasks did."""


def count(side: Side) -> Counts:
    """Stop the workers where they are, read the server and the ledger a last time, and count."""
    side.freeze()
    side.ledger.read()
    return tally(side, side.whereabouts(), exits=sum(worker.exits for worker in side.workers))


def tally(side: Counted, kept: Whereabouts, *, exits: int) -> Counts:
    """Count what stands still.

    Args:
        side: the run.
        kept: which messages its Redis still holds.
        exits: how often a worker ended by itself.
    """
    ran = {task_id for task_id, ends in side.ledger.ends.items() if ends}
    missing = set(side.sent) - ran
    counts = Counts(
        scenario=side.scenario.name,
        kind=side.kind,
        sent=len(side.sent),
        starts=side.ledger.total(side.ledger.starts),
        run=len(ran & set(side.sent)),
        dead=len(missing & kept.dead),
        stuck=len(missing & kept.waiting - kept.dead),
        lost=len(missing - kept.waiting - kept.dead),
        run_twice=sum(len(side.ledger.ends[each]) > 1 for each in side.sent),
        effects_twice=sum(len(side.ledger.effects[each]) > 1 for each in side.sent),
        exits=exits,
        recovery=side.recovery,
        recovery_counts=side.recovery_counts,
        notes=side.notes,
        problems=list(side.problems),
    )
    counts.problems.extend(_problems(counts, side, missing & kept.dead))
    return counts


def _problems(counts: Counts, side: Counted, dead: set[str]) -> list[str]:
    promised = {
        f"{counts.lost} lost": counts.lost == 0,
        f"{counts.stuck} not run within {side.scenario.seconds:.0f} s": counts.stuck == 0,
        f"{counts.effects_twice} effects twice": counts.effects_twice == 0,
        f"{counts.exits} exits of a worker": counts.exits == 0 or side.scenario.may_exit,
        f"{len(dead - side.poison)} innocent dead letters": dead <= side.poison,
        "did not recover": counts.recovery is not None or not counts.recovery_counts,
    }
    return [problem for problem, kept in promised.items() if not kept]
