"""The page docs/reference/performance.md."""

from collections.abc import Sequence
from pathlib import Path

from compare import tables
from compare.figures import Figures
from compare.kill import BEGUN
from compare.plot import PICTURE
from compare.subjects import Subject
from compare.surroundings import Surroundings
from compare.workloads import KILLED, Extent, Workload
from devstack.services import ROOT

PAGE = ROOT / "docs/reference/performance.md"
_INTRODUCTION = """# Performance: this template beside plain Celery and the other Python task queues

One run, on one machine, on the same Redis (an embedded Valkey with an append-only file, `appendfsync everysec`). The
subjects took turns, round by round: {rounds} rounds, each with its own worker. Figures are medians of the rounds, with
the lowest and the highest; some workloads have one round only (see the end). Compare figures of one run only; where a
machine does other things meanwhile, CPU seconds for 10,000 tasks are steadier than rates.

```sh
make bench
```

{surroundings}

![Rates and CPU seconds of all subjects]({picture})
"""
_METHOD = """
## How it was measured

- Every worker runs as its users run it, its log goes to a file. The template sends events, logs each task, and checks
  each payload against the contract. Plain Celery logs at INFO, as its first example does; `celery-tuned` is silent and
  acknowledges late. The others have their own log level. arq has other settings than its defaults, with which it starts
  at most 100 tasks every half second.
- Each task appends 12 bytes to a file at its end: its number and the time. Rates go from the first task's end to the
  last one's. A drain begins with a warm worker, all of whose processes are stopped (SIGSTOP) while the queue is filled.
  Up to {tasks:,} tasks; a subject that is slower gets as many as it runs in about {seconds:.0f} seconds.
- Tasks that wait use `time.sleep`, and `asyncio.sleep` in `template-async`, taskiq and arq, which run coroutines. Tasks
  that use a processor do it in the coroutine there.
- To save time, {fewer}
  have one round, the first, of these workloads: {once}. The kill test has one round for all.
- MiB are the proportional set size of all processes of an idle worker: what they share counts once.
- CPU seconds are those of all of a worker's processes, those that ended included. Commands are what Redis counts
  (`total_commands_processed`): a script counts as one, and so does each command in it.
- The kill test sends {killed} tasks of 0.1 s, kills all processes of the worker 50 ms after {begun} of them have begun,
  and starts the same worker again. Then every task's notes are counted, and Redis is searched for those that have none.
  A task that had begun and not ended is "begun again" where delivery is at least once; the time limit after which that
  happens is shortened as the last column says.
"""


def text(
    workloads: Sequence[Workload],
    subjects: Sequence[Subject],
    figures: Figures,
    extent: Extent,
    surroundings: Surroundings,
) -> str:
    """The page in Markdown."""
    introduction = _INTRODUCTION.format(
        rounds=extent.rounds, surroundings=surroundings.sentence(), picture=PICTURE.name
    )
    parts = [introduction, _subjects(subjects, figures)]
    parts += [_table(workload, subjects, figures) for workload in workloads]
    fewer = ", ".join(f"`{each.name}`" for each in subjects if not each.main)
    once = ", ".join(f"`{each.name}`" for each in workloads if each.once == "others")
    known = {"killed": KILLED, "begun": BEGUN, "fewer": fewer or "none", "once": once or "none"}
    parts.append(_METHOD.format(tasks=extent.tasks, seconds=extent.seconds, **known))
    return "\n".join(parts)


def _subjects(subjects: Sequence[Subject], figures: Figures) -> str:
    lines = ["## Subjects\n", "| name | what it is | its worker |", "|---|---|---|"]
    for each in subjects:
        variables = " ".join(f"{name}={value}" for name, value in each.variables.items())
        command = " ".join(filter(None, (variables, *each.words())))
        lines.append(f"| {each.name} | {each.title} | `{command}` |")
    for subject, problems in figures.problems.items():
        if problems:
            reason = problems[0].splitlines()[0].partition("; logs: ")[0]  # where they lie is told to who ran it
            lines.append(f"\n{subject} could not be measured in full: {reason}")
    return "\n".join([*lines, ""])


def _table(workload: Workload, subjects: Sequence[Subject], figures: Figures) -> str:
    heads = tables.heads(workload)
    lines = [f"## {tables.title(workload)}\n", *([f"{workload.note}\n"] if workload.note else [])]
    lines += [f"| | {' | '.join(heads)} |", f"|---|{'---:|' * len(heads)}"]
    for each in subjects:
        row = tables.cells(workload, each, figures)
        name = f"**{each.name}**" if each.name.startswith("template") else each.name
        lines += [f"| {name} | {' | '.join(row)} |"] if row else []
    return "\n".join([*lines, ""])


def write(content: str, path: Path = PAGE) -> None:
    """Write the page."""
    path.write_text(content)
