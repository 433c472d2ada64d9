"""`make bench-costs`: what each guarantee and each feature costs, as a share of a task that does nothing.

The worker as it is takes turns with the same worker without one of its parts, or with one more. A full run writes
docs/reference/costs.md.
"""

import argparse
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from rich.console import Console
from rich.table import Column, Table

from compare.figures import Figures
from compare.run import Run
from compare.subjects import SUBJECTS, TASKS, Subject
from compare.tables import number
from compare.workloads import WORKLOADS, Extent
from devstack.interrupts import end_on_signals
from devstack.services import ROOT

PAGE = ROOT / "docs/reference/costs.md"
POOLS = ("prefork", "short")
HEADS = ("pool", "what", "µs of CPU", "lowest - highest", "% of a task", "µs of Redis", "tasks /s, x")
_TASKS = 15_000  # a CPU is counted in hundredths of a second; after 10,000 tasks a process of the pool is replaced
_WHOLE = "a task that does nothing, all of it"
_MODULE = f"{TASKS}.template_costs_tasks"
_NOOP = [workload for workload in WORKLOADS if workload.name == "noop"]


@dataclass(frozen=True)
class Case:
    """One part of the template.

    Args:
        name: for `--only`.
        title: for the table.
        extra: a feature that a worker has only if its service wants it; otherwise a part of every worker.
        variables: what switches it on, if it is extra, or off.
        heard: somebody listens to the worker's events.
    """

    name: str
    title: str
    extra: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)
    heard: bool = False


def _own(name: str, title: str, *, extra: bool = False) -> Case:
    return Case(name, title, extra, {"BENCH_COST": name})


CASES = (
    Case("chance", "nothing: what chance makes of the same worker", variables={"BENCH_COST": ""}),
    _own("contract", "payload and result are checked against the contract"),
    Case("log", "a log line for each task", variables={"LOG_SAMPLE": "0"}),
    _own("context", "the task's id and its correlation id for all log lines"),
    Case("events", "events, with nobody who listens", variables={"CELERYCONFIG_WORKER_SEND_TASK_EVENTS": "false"}),
    Case("late", "acknowledged after the task, not before", variables={"CELERYCONFIG_TASK_ACKS_LATE": "false"}),
    Case(
        "limits",
        "soft and hard time limit",
        variables={
            "CELERYCONFIG_TASK_TIME_LIMIT": "null",
            "CELERYCONFIG_TASK_SOFT_TIME_LIMIT": "null",
            "SKIP_STARTUP_CHECKS": "time-limits",
        },
    ),
    _own("health", "the health file"),
    Case("heard", "events, with somebody who listens, as Flower does", extra=True, heard=True),
    _own("results", "the result is kept", extra=True),
    _own("key", "an idempotency key: once for each task id", extra=True),
    _own("wait", "`max_queue_wait`", extra=True),
    _own("rate", "`global_rate_limit`", extra=True),
)
_EXTRAS = {case.title for case in CASES if case.extra}


def main() -> int:
    """Measure all parts; the exit code."""
    parser = argparse.ArgumentParser(
        prog="make bench-costs", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="turns of each (default: 5)")
    parser.add_argument("--tasks", type=int, default=_TASKS, help=f"most tasks of a turn (default: {_TASKS})")
    names = [case.name for case in CASES]
    parser.add_argument("--only", action="append", choices=names, help="print this part, write nothing")
    options = parser.parse_args()
    end_on_signals()
    console = Console(width=None if sys.stdout.isatty() else 150)
    cases = [case for case in CASES if options.only is None or case.name in options.only]
    subjects = [subject for pool in POOLS for subject in subjects_of(pool, cases)]
    run = Run(subjects, _NOOP, Extent(options.tasks, options.rounds), console)
    code, surroundings = run.measure()
    rows = rows_of(cases, run.figures)
    table = Table(*(Column(head, justify="left" if head in {"pool", "what"} else "right") for head in HEADS))
    for row in rows:
        table.add_row(*row)
    console.print(table)
    if options.only is None and not code:
        PAGE.write_text(page(rows, options.rounds, surroundings.sentence()))
    return code


def subjects_of(pool: str, cases: Sequence[Case]) -> list[Subject]:
    """The worker as it is, named like its pool, and one for each case."""
    of_the_bench = next(each for each in SUBJECTS if each.name == f"template-{pool}")
    command = tuple(_MODULE if part == f"{TASKS}.template_tasks" else part for part in of_the_bench.command)
    base = replace(of_the_bench, name=pool, command=command)
    variables = base.variables
    others = [
        replace(
            base,
            name=f"{pool}-{case.name}",
            title=case.title,
            variables={**variables, **case.variables},
            heard=case.heard,
        )
        for case in cases
    ]
    return [base, *others]


def rows_of(cases: Sequence[Case], figures: Figures) -> list[tuple[str, ...]]:
    """The table; a pool that was not measured is left out."""
    rows: list[tuple[str, ...]] = []
    for pool in POOLS:
        whole = figures.values.get(("noop", pool, "cpu"))
        if whole:
            rows.append((pool, _WHOLE, *_cells(figures, pool, None)))
            rows += [(pool, case.title, *_cells(figures, pool, case)) for case in cases]
    return rows


def _cells(figures: Figures, pool: str, case: Case | None) -> tuple[str, ...]:
    """The figures of a case: of each round the difference to the worker as it is, in µs for one task."""
    if case is None:
        cpu, server = (figures.values["noop", pool, measure] for measure in ("cpu", "server_cpu"))
        rate = figures.values["noop", pool, "rate"]
        return (*_spread([each * 100 for each in cpu]), "100", f"{round(statistics.median(server) * 100)}", _rate(rate))
    cpu, server = (_differences(figures, pool, case, measure) for measure in ("cpu", "server_cpu"))
    if not cpu:
        return ("not measured", "", "", "", "")
    whole = statistics.median(figures.values["noop", pool, "cpu"]) * 100
    share = f"{round(100 * statistics.median(cpu) / whole)}"
    ratio = figures.ratio("noop", f"{pool}-{case.name}", "rate", pool) or 0.0
    return (*_spread(cpu), share, f"{round(statistics.median(server))}", f"{ratio:.2f}")


def _differences(figures: Figures, pool: str, case: Case, measure: str) -> list[float]:
    base, other = (figures.values.get(("noop", name, measure), []) for name in (pool, f"{pool}-{case.name}"))
    sign = 1 if case.extra else -1
    return [sign * 100 * (changed - whole) for whole, changed in zip(base, other, strict=False)]


def _spread(values: list[float]) -> tuple[str, str]:
    return f"{round(statistics.median(values))}", f"{round(min(values))} - {round(max(values))}"


def _rate(values: list[float]) -> str:
    return f"{number(statistics.median(values))} /s"


def page(rows: Sequence[Sequence[str]], rounds: int, surroundings: str) -> str:
    """The page in Markdown."""
    lines = [
        "# Costs: what each guarantee takes of a task that does nothing",
        "",
        f"`make bench-costs`, medians of {rounds} rounds. {surroundings}",
        "",
        "Each worker runs the same drain of tasks that do nothing as in `make bench`, with two processes: as it is, "
        "without one of its parts, and with one more feature. A figure is the difference to the worker as it is, in "
        "the same round: CPU of the worker's processes, and of Redis, for one task; a share of the CPU of a task that "
        "does nothing; and how many tasks a second the changed worker runs, as a ratio. A difference whose lowest and "
        "highest value have different signs is below what these rounds can tell.",
        *_markdown([row for row in rows if row[1] not in _EXTRAS], "Part of every task"),
        *_markdown([row for row in rows if row[1] in _EXTRAS], "Only if a service wants it"),
        "",
        "Not measured, because nothing switches it: claiming under a lease. The counter of crashes costs Redis one "
        "`EXISTS` for each batch of messages until a message has crashed a worker.",
        "",
    ]
    return "\n".join(lines)


def _markdown(rows: Sequence[Sequence[str]], title: str) -> list[str]:
    rule = f"|---|---|{'---:|' * (len(HEADS) - 2)}"
    return ["", f"## {title}", "", f"| {' | '.join(HEADS)} |", rule, *(f"| {' | '.join(row)} |" for row in rows)]


if __name__ == "__main__":
    sys.exit(main())
