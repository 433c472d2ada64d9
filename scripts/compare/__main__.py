"""`make bench`: this template beside plain Celery and the other Python task queues, in one run, on the same Redis.

The subjects take turns, round by round, so that whatever else the machine does hits all of them. Each turn starts the
subject's worker, measures it and stops it. A full run writes docs/reference/performance.md.
"""

import argparse
import sys

from rich.console import Console

from compare.run import Run
from compare.subjects import SUBJECTS, Subject
from compare.workloads import QUICK, QUICK_SUBJECTS, QUICK_WORKLOADS, WORKLOADS, Extent, Workload
from devstack.interrupts import end_on_signals


def main() -> int:
    """Read the options and run; the exit code."""
    parser = _parser()
    options = parser.parse_args()
    if options.list:
        for each in (*SUBJECTS, *WORKLOADS):
            print(f"{each.name:18}{each.title}")
        return 0
    only = set(options.only or ())
    unknown = only - {each.name for each in (*SUBJECTS, *WORKLOADS)}
    if unknown:
        parser.error(f"neither a subject nor a workload: {', '.join(sorted(unknown))}; --list shows them")
    subjects, workloads = _chosen(only, quick=options.quick)
    if not subjects:
        parser.error("none of these subjects has one of these workloads; celery-engine is for database alone")
    missing = sorted({str(each.programs) for each in subjects if not (each.programs / each.command[0]).exists()})
    if missing:
        parser.error(f"not installed: {', '.join(missing)}; `make bench` installs it")
    default = QUICK if options.quick else Extent(tasks=10_000, rounds=3)
    extent = Extent(
        tasks=options.tasks or default.tasks,
        rounds=options.rounds or default.rounds,
        seconds=default.seconds,
        latency_seconds=default.latency_seconds,
    )
    end_on_signals()
    console = Console(width=None if sys.stdout.isatty() else 150)
    return Run(subjects, workloads, extent, console).go(write=not only and not options.quick)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--rounds", type=_positive, help="turns of each subject (default: 3; some workloads have fewer)"
    )
    parser.add_argument(
        "--tasks", type=_positive, help="most tasks of a drain (default: 10000; slow subjects get fewer)"
    )
    parser.add_argument(
        "--only", action="append", metavar="NAME", help="this subject or workload; may be given several times"
    )
    parser.add_argument("--list", action="store_true", help="list subjects and workloads, and end")
    parser.add_argument("--quick", action="store_true", help="few subjects, few tasks, one round; prints only")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return number


def _chosen(only: set[str], *, quick: bool) -> tuple[list[Subject], list[Workload]]:
    """What `--only` names; where it names no subject, or no workload, all of them, or the quick ones."""
    workloads = [each for each in WORKLOADS if each.name in only]
    workloads = workloads or [each for each in WORKLOADS if not quick or each.name in QUICK_WORKLOADS]
    subjects = [each for each in SUBJECTS if each.name in only]
    subjects = subjects or [each for each in SUBJECTS if not quick or each.name in QUICK_SUBJECTS]
    return [each for each in subjects if any(each.has(workload, first_round=True) for workload in workloads)], workloads


if __name__ == "__main__":
    sys.exit(main())
