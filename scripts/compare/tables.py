"""Turns figures into rows, for the terminal and for the page."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.markup import escape
from rich.table import Column, Table

from compare.figures import Figures
from compare.subjects import BASELINE, Subject
from compare.workloads import KILLED, Workload

_MANY, _SOME = 100, 10
KILL_HEADS = ("sent", "run", "begun again", "run twice", "kept, not run", "lost", "back after", "so", "set to")


@dataclass(frozen=True)
class Measure:
    """One column.

    Args:
        name: in the figures.
        title: its head.
        ratio: whether the ratio to plain Celery is of use.
        spread: whether to show the lowest and the highest value.
    """

    name: str
    title: str
    ratio: bool = False
    spread: bool = False


MEASURES = {
    "enqueue": (
        Measure("single", "one by one /s", ratio=True, spread=True),
        Measure("bulk", "many /s", ratio=True, spread=True),
        Measure("single_cpu", "CPU s / 10k, one by one"),
        Measure("bulk_cpu", "CPU s / 10k, many"),
    ),
    "boot": (Measure("seconds", "s", spread=True),),
    "idle": (
        Measure("cpu", "CPU s / min", spread=True),
        Measure("commands", "commands /s"),
        Measure("server_cpu", "Redis CPU s / min"),
        Measure("mib", "MiB (PSS)"),
    ),
    "latency": (Measure("p50", "p50 ms", spread=True), Measure("p99", "p99 ms", spread=True)),
    "half-load": (
        Measure("p50", "p50 ms", spread=True),
        Measure("p99", "p99 ms", spread=True),
        Measure("sent", "sent /s"),
        Measure("share", "% of its rate"),
    ),
    "mixed": (
        Measure("seconds", "all short ones, s", spread=True),
        Measure("p99", "p99 of their wait, ms", spread=True),
        Measure("tasks", "short tasks"),
    ),
    "drain": (
        Measure("rate", "tasks /s", ratio=True, spread=True),
        Measure("cpu", "CPU s / 10k", ratio=True),
        Measure("commands", "commands / task"),
        Measure("server_cpu", "Redis CPU s / 10k"),
        Measure("tasks", "tasks"),
    ),
}


def heads(workload: Workload) -> list[str]:
    """The heads of a workload's columns, that of the subject excepted."""
    if workload.kind == "kill":
        return list(KILL_HEADS)
    out = []
    for measure in MEASURES[workload.kind]:
        out.append(measure.title)
        out += ["lowest - highest"] if measure.spread else []
        out += ["x Celery"] if measure.ratio else []
    return out


def cells(workload: Workload, subject: Subject, figures: Figures) -> list[str]:
    """One subject's row; empty if nothing was measured."""
    if workload.kind == "kill":
        return _killed(subject, figures)
    out = []
    for measure in MEASURES[workload.kind]:
        found = figures.summary(workload.name, subject.name, measure.name)
        if found is None:
            return []
        out.append(number(found.median))
        out += [f"{number(found.lowest)} - {number(found.highest)}"] if measure.spread else []
        ratio = figures.ratio(workload.name, subject.name, measure.name, BASELINE)
        out += [f"{ratio:.2f}" if ratio else ""] if measure.ratio else []
    return out


def _killed(subject: Subject, figures: Figures) -> list[str]:
    found = figures.killed.get(subject.name)
    if found is None:
        return []
    counts = (found.sent, found.run, found.begun_twice, found.run_twice, found.kept, found.lost)
    return [*(str(each) for each in counts), f"{found.back:.1f} s" if found.back else "", found.guarantee, subject.soon]


def number(value: float) -> str:
    """With as many digits as say something."""
    if value >= _MANY:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= _SOME else f"{value:.2f}"


def all_tables(workloads: Sequence[Workload], subjects: Sequence[Subject], figures: Figures) -> list[Table]:
    """For the terminal."""
    out = []
    for workload in workloads:
        rows = [[each.name, *row] for each in subjects if (row := cells(workload, each, figures))]
        columns = [Column(head, justify="right") for head in heads(workload)]
        table = Table(Column("", no_wrap=True), *columns, title=escape(title(workload)))
        for row in rows:
            table.add_row(*row)
        out += [table] if rows else []
    return out


def title(workload: Workload) -> str:
    """A workload's title."""
    return f"{workload.title} ({KILLED} tasks of 0.1 s)" if workload.kind == "kill" else workload.title


def line(workloads: Sequence[Workload], subject: Subject, figures: Figures) -> str:
    """What the latest round brought, in one line."""
    parts = []
    for workload in workloads:
        if workload.kind == "kill":
            found = figures.killed.get(subject.name)
            parts += [f"killed: {found.lost} lost, {found.run_twice} twice"] if found else []
            continue
        measure = MEASURES[workload.kind][0]
        values = figures.values.get((workload.name, subject.name, measure.name))
        parts += [f"{workload.name} {number(values[-1])} {measure.title}"] if values else []
    return ", ".join(parts)
