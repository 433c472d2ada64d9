"""Faults that lie in the messages: long countdowns, poison, and what is no message at all."""

import time

from chaos.scenario import LATE_ACK, scenario, visibility
from chaos.subjects import Side
from chaos.worker.bodies import name_of
from devstack.malformed.corpus import corpus, small
from devstack.malformed.message import Expected


@scenario(
    "countdown",
    "10 tasks due in 30 s, longer than the lease",
    seconds=75,
    plain=visibility(10),
    plain_words="visibility timeout 10 s",
)
def countdown(side: Side) -> None:
    """Row 5."""
    side.recovery_counts = False
    side.worker()
    began = time.monotonic()
    side.send("noop", 10, countdown=30)
    side.pause(31)
    side.settle()
    firsts = [min(starts) - began for starts in side.ledger.starts.values()]
    if firsts:
        side.notes.append(f"first starts {min(firsts):.1f} to {max(firsts):.1f} s after the sends")
        if min(firsts) < 29.9:  # noqa: PLR2004
            side.problems.append("started before its time")


@scenario(
    "poison-child",
    "one task kills its pool process; 10 neighbours",
    seconds=60,
    plain=LATE_ACK,
    plain_words="late acknowledgement",
)
def poison_child(side: Side) -> None:
    """Row 6a."""
    side.recovery_counts = False
    side.worker()
    side.poison.update(side.send("kill_own_process"))
    side.send("sleep", 10, seconds=0.3)
    side.settle()
    _note_poison(side)


@scenario(
    "poison-worker",
    "one task kills the worker's main process; 5 neighbours; restarted as Docker does",
    seconds=120,
    lease=5,
    plain=LATE_ACK | visibility(5),
    plain_words="late acknowledgement, visibility timeout 5 s",
    may_exit=True,
)
def poison_worker(side: Side) -> None:
    """Rows 6c and 6d."""
    side.recovery_counts = False
    side.worker()
    side.poison.update(side.send("kill_worker"))
    side.send("sleep", 5, seconds=2)
    side.settle()
    _note_poison(side)


def _note_poison(side: Side) -> None:
    runs = len(side.ledger.starts[next(iter(side.poison))])
    side.notes.append(f"the poison began {runs} times")
    if runs > 3:  # noqa: PLR2004 - TASK_DELIVERY_LIMIT
        side.problems.append(f"the poison began {runs} times")


@scenario("malformed", "malformed messages among 40 tasks of 0.2 s", seconds=90)
def malformed(side: Side) -> None:
    """Rows 7a to 7e: the queue gets each of them between two good ones."""
    side.recovery_counts = False
    side.worker()
    bad = _corpus()
    per_task = max(1, len(bad) // 30)
    rest = list(bad)
    with side.server.client() as client:
        for _ in range(40):
            side.send("sleep", seconds=0.2)
            for _, raw in rest[:per_task]:
                client.lpush("chaos", raw)
            rest = rest[per_task:]
        for _, raw in rest:
            client.lpush("chaos", raw)
    side.send("noop")
    side.settle()
    side.pause(2)
    kept = side.whereabouts()
    gone = [name for name, raw in bad if not kept.holds(raw)]
    side.notes.append(f"{len(bad) - len(gone)} of {len(bad)} malformed messages kept byte for byte")
    if gone:
        side.problems.append(f"malformed messages that are gone: {len(gone)}, such as {', '.join(gone[:10])}")


def _corpus() -> list[tuple[str, bytes]]:
    """Names and raw bytes of the messages that no worker can run."""
    messages = small(corpus(task=name_of("sleep"), payload={"seconds": 0.01}, queue="chaos"))
    return [(each.name, each.raw) for each in messages if each.expected in {Expected.KEPT, Expected.PARKED}]
