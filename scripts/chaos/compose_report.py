"""Writes the page docs/reference/proof-compose.md."""

import platform
import time
from collections.abc import Mapping, Sequence

from chaos.compose_scenario import ComposeScenario
from chaos.counts import Counts
from chaos.report import HEADS, cells
from devstack.compose import docker
from devstack.services import ROOT

PAGE = ROOT / "docs/reference/proof-compose.md"
INTRODUCTION = """# The proof on the images: one fault, the containers of docker-compose.yml

Each scenario starts a project of docker compose of its own, with the images and settings of docker-compose.yml, sends
tasks by name as any caller does, and does a fault to the containers. [The other page](proof.md) has the faults of
single processes, beside plain Celery.

```sh
make chaos-compose
```

{when}, in {minutes:.0f} minutes, {jobs} scenarios at a time, on {cores} cores, {versions}.
"""
SHOWN = """
## What it shows

A container dies in ways of its own: with all its processes at once, by its memory limit, with its address in the
network. {summary}

What remains possible is one gap, at which `worker-kills` aims: a worker that is killed in the milliseconds between the
mail server's acceptance of a mail and the record of it leaves a mail that is sent again, under the same Message-ID
([effects once](../explanation/effects-once.md)). Whether a run hits it is chance: four runs of `worker-kills`, with 40
kills and 2,841 mails, had 1, 2, 0 and 2 such mails. A row in the database has no such gap.

## Notes
"""
COUNTING = """
## How the numbers were counted

An effect is a mail that the mail server has, known by its Message-ID, which is made from the task's id; for
`postgres-restart` it is a row that a trigger of the database writes down in the transaction of the insert. Starts and
ends are lines in the workers' logs. After the run the broker's database is searched, all keys of it. A caller whose
send is refused or gets no answer sends the same message again, under the same id, until Redis has taken it.

| column | what it counts |
|---|---|
| sent | messages that Redis accepted |
| starts | how often a task began, over all messages; one that only gets the first run's result is among them |
| run | messages whose effect is there, or whose task came to its end |
| dead letters | messages that did not run and are kept, with their reason, to be replayed |
| lost | messages that did not run and are nowhere any more |
| stuck | messages that did not run within the scenario's bound and still lie in Redis |
| run twice | messages whose task's body came to its end more than once |
| effects twice | messages whose effect is there more than once |
| exits | how often a worker's or beat's container ended, but for the ends that the scenario itself brought about |
| back after | seconds until what ran in a killed container ran again, or from the fault's end until a new task ended |

Redis runs with `appendfsync everysec`, as docker-compose.yml has it. It hands each command to the kernel before it
answers, as a rule: what a killed process has answered is then in the kernel's memory, and only a machine that fails
loses up to a second of it.
"""


def page(
    scenarios: Sequence[ComposeScenario],
    counts: Mapping[str, Counts],
    *,
    seconds: float,
    jobs: int,
    cores: int,
) -> str:
    """The page in Markdown.

    Args:
        scenarios: in the order of the table.
        counts: what came of each, by its name.
        seconds: what the run took.
        jobs: scenarios at a time.
        cores: of the machine.
    """
    head = INTRODUCTION.format(
        when=time.strftime("%Y-%m-%d, %H:%M UTC", time.gmtime()),
        minutes=seconds / 60,
        jobs=jobs,
        cores=cores,
        versions=_versions(),
    )
    found = [(scenario, counts[scenario.name]) for scenario in scenarios if scenario.name in counts]
    rows = [f"| **{scenario.name}**: {scenario.title} | {' | '.join(cells(each))} |" for scenario, each in found]
    notes = [line for scenario, each in found for line in _notes(scenario, each)]
    table = [f"| fault | {' | '.join(HEADS)} |", f"|---|{'---:|' * len(HEADS)}", *rows]
    shown = SHOWN.format(summary=summary([each for _, each in found]))
    return "\n".join([head, *table, shown, *notes, COUNTING])


def summary(counts: Sequence[Counts]) -> str:
    """One paragraph: the sums over all scenarios."""
    sent, run, dead = (sum(getattr(each, name) for each in counts) for name in ("sent", "run", "dead"))
    bad = [f"{problem} in {each.scenario}" for each in counts for problem in each.problems]
    verdict = f"What should not be: {'; '.join(bad)}." if bad else "No promise was broken."
    return (
        f"Over all {len(counts)} faults {sent:,} messages were sent: {run:,} ran, {dead} ended as dead letters, "
        f"{sum(each.lost for each in counts)} were lost and {sum(each.stuck for each in counts)} stayed behind, "
        f"{sum(each.effects_twice for each in counts)} had their effect twice. {verdict}"
    )


def _notes(scenario: ComposeScenario, counts: Counts) -> list[str]:
    broken = [f"- **{scenario.name}, what should not be:** {problem}" for problem in counts.problems]
    return [f"- {scenario.name}: {note}" for note in counts.notes] + broken


def _versions() -> str:
    engine = docker("version", "--format", "{{.Server.Version}}").strip()
    compose = docker("compose", "version", "--short").strip()
    return f"{platform.system()}, Docker {engine}, docker compose {compose}"
