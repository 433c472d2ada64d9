"""Shows the figures: a table that lives on the terminal, and the page docs/reference/proof.md."""

import platform
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Protocol

from rich.table import Column, Table

from chaos.counts import Counts
from chaos.scenario import Scenario
from devstack.services import ROOT
from devstack.valkey import Valkey

PAGE, POOLS_PAGE = ROOT / "docs/reference/proof.md", ROOT / "docs/reference/proof-pools.md"
WHO = {
    "template": "**this template**",
    "short-tasks": "this template, pool for short tasks",
    "coroutines": "this template, pool for coroutines",
}
HEADS = ("sent", "starts", "run", "dead letters", "lost", "stuck", "run twice", "effects twice", "exits", "back after")
SHORT_HEADS = ("sent", "starts", "run", "dead", "lost", "stuck", "run 2x", "effect 2x", "exits", "back")
Key = tuple[str, str]  # a scenario's name and a side
INTRODUCTION = """# The proof: one fault, two workers

Each fault happens at the same time to a worker of this template (an application made by `workerkit.app.create_app`)
and to a worker of plain Celery on the same machine: real processes, real signals, a real Valkey for each.

```sh
make chaos
```
"""
POOLS_INTRODUCTION = """# The proof for the template's own pools

The faults of [the proof](proof.md), to workers with [the pool for short tasks and the pool for
coroutines](../how-to/choose-a-pool.md): their tasks are plain functions in the one and `async def` in the other.

```sh
make chaos pools=1
```
"""
RUN = """
{when}, in {minutes:.0f} minutes, {jobs} scenarios at a time, on {cores} cores, {versions}.
"""
COUNTING = """
## How the numbers were counted

A task notes its start, its effect and its end in a ledger: a list in another server, which no fault touches. The noted
times come from the one monotonic clock of the machine. After the run the broker's database is searched, all keys of it.

| column | what it counts |
|---|---|
| sent | messages that Redis accepted; a send that raised an error is not among them |
| starts | how often a task began, over all messages |
| run | messages whose task came to its end at least once |
| dead letters | messages that did not run and are kept, with their reason, to be replayed |
| lost | messages that did not run and are nowhere any more |
| stuck | messages that did not run within the scenario's bound and still lie in Redis |
| run twice | messages whose task came to its end more than once |
| effects twice | messages whose effect happened more than once |
| exits | how often a worker's main process ended by itself; each time it was started again, as Docker does |
| back after | seconds until what was running ran again, or from the end of the fault until a new task started |

Plain Celery runs with its stock settings, unless the second column says otherwise, on a server with stock settings (no
append-only file). The template runs with its own, on a server with an append-only file that is written at each change
(`appendfsync always`): with `everysec`, the setting of docker-compose.yml, a killed server may lose its last second.
The files lie in memory where there is /dev/shm: processes are killed here, not machines.
"""


class Named(Protocol):
    """A scenario, as far as the terminal shows it."""

    @property
    def name(self) -> str:
        """Its name."""


def table(
    scenarios: Sequence[Named], kinds: Sequence[str], states: Mapping[Key, str], counts: Mapping[Key, Counts]
) -> Table:
    """The table for the terminal: figures where they are there, else how far the scenario is."""
    columns = [Column(head, justify="right", no_wrap=True) for head in SHORT_HEADS]
    shown = Table(Column("fault", no_wrap=True), Column("side", no_wrap=True), *columns, title="Nothing lost?")
    for scenario in scenarios:
        for kind in kinds:
            found = counts.get((scenario.name, kind))
            name = scenario.name if kind == kinds[0] else ""
            shown.add_row(name, _who(kind, found, states.get((scenario.name, kind))), *(cells(found) if found else ()))
    return shown


def _who(kind: str, counts: Counts | None, state: str | None) -> str:
    if counts is None:
        return f"{kind} [dim]{state}[/]" if state else f"[dim]{kind}[/]"
    if kind == "plain":
        return kind
    return f"[red]{kind}[/]" if counts.problems else f"[green]{kind}[/]"


def cells(counts: Counts) -> list[str]:
    """One row's figures, without a mark."""
    numbers = (counts.sent, counts.starts, counts.run, counts.dead, counts.lost, counts.stuck, counts.run_twice)
    back = "" if not counts.recovery_counts else "never" if counts.recovery is None else f"{counts.recovery:.1f} s"
    return [*(f"{number:,}" for number in numbers), f"{counts.effects_twice:,}", f"{counts.exits:,}", back]


def page(
    scenarios: Sequence[Scenario],
    kinds: Sequence[str],
    counts: Mapping[Key, Counts],
    *,
    server: Valkey,
    seconds: float,
    jobs: int,
    cores: int,
) -> str:
    """The page in Markdown."""
    with server.client() as client:
        versions = _versions(client.info("server"))
    run = RUN.format(
        when=time.strftime("%Y-%m-%d, %H:%M UTC", time.gmtime()),
        minutes=seconds / 60,
        jobs=jobs,
        cores=cores,
        versions=versions,
    )
    lines = [f"| fault | worker | {' | '.join(HEADS)} |", f"|---|---|{'---:|' * len(HEADS)}"]
    for scenario in scenarios:
        for kind in kinds:
            found = counts.get((scenario.name, kind))
            if found:
                who = WHO.get(kind, f"plain Celery, {scenario.plain_words}")
                title = f"**{scenario.name}**: {scenario.title}" if kind == kinds[0] else ""
                lines.append(f"| {title} | {who} | {' | '.join(cells(found))} |")
    head = INTRODUCTION if "plain" in kinds else POOLS_INTRODUCTION
    return "\n".join([head + run, *lines, *_notes(scenarios, kinds, counts), COUNTING])


def _notes(scenarios: Sequence[Scenario], kinds: Sequence[str], counts: Mapping[Key, Counts]) -> list[str]:
    lines = ["", "## Notes", ""]
    for scenario in scenarios:
        for kind in kinds:
            found = counts.get((scenario.name, kind))
            lines += [f"- {scenario.name}, {kind}: {note}" for note in (found.notes if found else [])]
            if found and kind != "plain":
                lines += [f"- **{scenario.name}, {kind}, broken promise:** {problem}" for problem in found.problems]
    return lines


def _versions(server: Mapping[str, object]) -> str:
    packages = ", ".join(
        f"{name} {version(name)}" for name in ("celery", "kombu", "billiard", "redis", "celery-redbeat")
    )
    product = server.get("valkey_version") and f"Valkey {server['valkey_version']}"
    return f"Python {platform.python_version()}, {packages}, {product or 'Redis ' + str(server['redis_version'])}"
