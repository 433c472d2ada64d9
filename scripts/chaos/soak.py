"""`make soak`: a million tasks through two workers, with a random fault every ten seconds, and what is lost or doubled.

One worker has the usual pool of processes, the other the one for short tasks.

A producer sends at a steady rate. Where a send fails it is repeated under the same task ids, as a caller should. Each
task has a number, and sets a bit in the ledger when it starts and when it ends. Every tenth writes one row to
PostgreSQL, together with its key (`workerkit.once`). Exits 1 if a task is lost or a row is there twice. A full run
writes docs/reference/soak.md.
"""

import argparse
import math
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from rich.console import Console
from rich.live import Live
from rich.table import Table

from chaos.database import Effects
from chaos.scenario import Scenario
from chaos.servers import Network
from chaos.soak_faults import Faults
from chaos.soak_memory import Memory
from chaos.subjects import Side, Stopping
from chaos.supervisor import Supervised
from chaos.worker.bodies import name_of
from devstack.folders import new_folder
from devstack.interrupts import end_on_signals
from devstack.services import ROOT
from devstack.valkey import Valkey
from taskclient.client import TaskClient
from taskclient.errors import BatchInterrupted
from taskclient.letters import dead_key

TASKS, MINUTES = 1_000_000, 30.0
DRAIN_SECONDS = 300.0  # after the last send: the bound for what is still under way
PAGES = ROOT / "docs/reference"
_SHORT_TASKS = "workerkit.short_tasks.pool:TaskPool"
_BATCH_SECONDS = 0.1
_ROW_EVERY = 10  # tasks
_NUMBER_BITS = 2**48 - 1  # of a UUID that are free for a number


@dataclass(frozen=True)
class Result:
    """What came of it: counts of tasks, by their numbers."""

    sent: int
    rows_due: int
    sends_repeated: int
    run: int
    missing: list[int]
    starts_again: int
    effects: int
    effects_twice: int
    letters: int
    innocent_letters: int
    malformed: int
    malformed_gone: int
    exits: int
    seconds: float

    @property
    def is_good(self) -> bool:
        """Nothing is lost, no effect happened twice, and what could not run is kept."""
        bad = self.missing or self.effects_twice or self.innocent_letters or self.malformed_gone or self.exits
        return not bad and self.effects == self.rows_due


def main() -> int:
    """Run the soak; the exit code."""
    parser = argparse.ArgumentParser(
        prog="make soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", type=int, default=TASKS, help=f"how many (default: {TASKS:,})")
    parser.add_argument("--minutes", type=float, default=MINUTES, help=f"sent within (default: {MINUTES:.0f})")
    parser.add_argument("--seed", type=int, default=1, help="of the order of the faults (default: 1)")
    parser.add_argument("--every", type=float, default=10.0, help="seconds between two faults (default: 10)")
    parser.add_argument("--write", action="store_true", help="write docs/reference/soak.md also for a smaller run")
    options = parser.parse_args()
    end_on_signals()
    console = Console(width=None if sys.stdout.isatty() else 120)
    try:
        return Soak(options, console).go()
    except (KeyboardInterrupt, Stopping):
        console.print("Stopped.")
        return 130


class Soak:
    """One soak.

    Args:
        options: of the command line.
        console: where the progress is shown.
    """

    def __init__(self, options: argparse.Namespace, console: Console) -> None:
        self._options, self._console = options, console
        self._folder = new_folder("soak")
        self._ledger = Valkey(self._folder / "ledger")
        self._stopping = threading.Event()
        scenario = Scenario("soak", "", lambda _: None, seconds=math.inf)
        (self._folder / "template").mkdir()
        self._side = Side("template", scenario, self._folder / "template", self._ledger, self._stopping)
        self._sent = self._repeated = 0

    def go(self) -> int:
        """Run it; the exit code."""
        try:
            with self._ledger:
                self._side.start_server()
                self._effects = Effects(self._side)
                workers = [
                    self._worker("processes"),
                    self._worker("short-tasks", CELERYCONFIG_WORKER_POOL=_SHORT_TASKS),
                ]
                faults = Faults(self._side, workers, seed=self._options.seed, seconds=self._options.every)
                memory = Memory({worker.process.name: worker for worker, _ in workers})
                result = self._run(faults, memory)
                self._conclude(result, faults, memory)
                return 0 if result.is_good else 1
        finally:
            self._stopping.set()
            self._side.close()

    def _worker(self, name: str, **env: str) -> tuple[Supervised, Network]:
        folder = self._folder / f"network-{name}"
        folder.mkdir()
        network = Network(self._side.server, folder)
        self._side.own(network)
        return self._side.worker(name, url=network.url, env={**self._effects.env, **env}), network

    def _run(self, faults: Faults, memory: Memory) -> Result:
        began = time.monotonic()
        producer = threading.Thread(target=self._produce, name="producer", daemon=True)
        producer.start()
        memory.start()
        faults.start()
        with Live(console=self._console, refresh_per_second=1) as live:
            while producer.is_alive():
                live.update(self._progress(began, faults, memory))
                self._side.pause(1)
            faults.stop()
            ends = time.monotonic() + DRAIN_SECONDS
            while time.monotonic() < ends and not self._is_done():
                live.update(self._progress(began, faults, memory))
                self._side.pause(1)
            live.update(self._progress(began, faults, memory))
        memory.stop()
        return self._count(faults, time.monotonic() - began)

    def _produce(self) -> None:
        """Send at a steady rate; what a fault held up is caught up with."""
        began = time.monotonic()
        rate = self._options.tasks / (self._options.minutes * 60)
        with TaskClient(self._side.server.url, max_backlog=0) as client:
            while self._sent < self._options.tasks and not self._stopping.wait(_BATCH_SECONDS):
                due = min(self._options.tasks, int((time.monotonic() - began) * rate))
                self._send(client, range(self._sent, due))
                self._sent = due

    def _send(self, client: TaskClient, numbers: Sequence[int]) -> None:
        unsent = [_id_of(number) for number in numbers]
        while unsent and not self._stopping.is_set():
            payloads = [{"number": _number(task_id), "row": _has_row(_number(task_id))} for task_id in unsent]
            try:
                client.send_many(name_of("count"), payloads, task_ids=unsent)
            except BatchInterrupted as error:
                unsent = error.unsent
                self._repeated += len(unsent)
                time.sleep(0.2)
            else:
                return

    def _bits(self, kind: str) -> int:
        with self._ledger.client() as client:
            return int(client.bitcount(f"{self._side.ledger.key}:{kind}"))

    def _again(self, kind: str) -> int:
        with self._ledger.client() as client:
            return int(client.llen(f"{self._side.ledger.key}:{kind}:again"))

    def _is_done(self) -> bool:
        return self._bits("end") >= self._sent and not self._side.whereabouts().waiting

    def _count(self, faults: Faults, seconds: float) -> Result:
        with self._ledger.client() as client:
            bitmap = client.get(f"{self._side.ledger.key}:end") or b""
        missing = [number for number in range(self._sent) if not _bit(bitmap, number)]
        kept = self._side.whereabouts()
        with self._side.server.client() as client:
            letters = int(client.zcard(dead_key("chaos")))
        effects, twice = self._effects.totals()
        ours = {_id_of(number) for number in missing}
        return Result(
            sent=self._sent,
            rows_due=len(range(0, self._sent, _ROW_EVERY)),
            sends_repeated=self._repeated,
            run=self._sent - len(missing),
            missing=missing,
            starts_again=self._again("start"),
            effects=effects,
            effects_twice=twice,
            letters=letters,
            innocent_letters=len(ours & kept.dead),
            malformed=len(faults.malformed),
            malformed_gone=sum(not kept.holds(raw) for raw in set(faults.malformed)),
            exits=sum(worker.exits for worker in self._side.workers),
            seconds=seconds,
        )

    def _progress(self, began: float, faults: Faults, memory: Memory) -> Table:
        shown = Table(show_header=False, title=f"{time.monotonic() - began:,.0f} s")
        shown.add_row("sent", f"{self._sent:,} of {self._options.tasks:,}")
        shown.add_row("run", f"{self._bits('end'):,}")
        shown.add_row("begun again", f"{self._again('start'):,}")
        shown.add_row("faults", f"{sum(faults.done.values())}, the last: {faults.last}")
        shown.add_row("worker exits", str(sum(worker.exits for worker in self._side.workers)))
        shown.add_row("memory", ", ".join(f"{name} {memory.latest(name):.0f} MiB" for name in memory.workers))
        return shown

    def _conclude(self, result: Result, faults: Faults, memory: Memory) -> None:
        text = _page(result, faults, memory, self._options)
        self._console.print(text, markup=False, highlight=False)
        if result.missing:
            self._console.print(f"[red]missing: {result.missing[:20]}")
        self._console.print(f"Logs: {self._folder}", soft_wrap=True)
        if self._options.write or (self._options.tasks >= TASKS and self._options.minutes >= MINUTES):
            memory.draw(PAGES / "soak.svg")
            (PAGES / "soak.md").write_text(text)
        else:
            memory.draw(self._folder / "soak.svg")


def _id_of(number: int) -> str:
    return str(UUID(int=number, version=4))


def _number(task_id: str) -> int:
    return UUID(task_id).int & _NUMBER_BITS


def _has_row(number: int) -> bool:
    return number % _ROW_EVERY == 0


def _bit(bitmap: bytes, number: int) -> bool:
    byte, bit = divmod(number, 8)
    return byte < len(bitmap) and bool(bitmap[byte] >> (7 - bit) & 1)


def _page(result: Result, faults: Faults, memory: Memory, options: argparse.Namespace) -> str:
    rows = {
        "tasks sent": result.sent,
        "tasks sent again under the same id, because Redis was away": result.sends_repeated,
        "tasks run": result.run,
        "**tasks lost**": len(result.missing),
        "rows that they were to write": result.rows_due,
        "rows written": result.effects,
        "**rows written twice**": result.effects_twice,
        "tasks begun again after a fault": result.starts_again,
        "faults": sum(faults.done.values()),
        "malformed messages pushed": result.malformed,
        "malformed messages gone": result.malformed_gone,
        "dead letters": result.letters,
        "tasks among the dead letters": result.innocent_letters,
        "exits of a worker by itself": result.exits,
    }
    lines = [
        "# The soak: a random fault every few seconds",
        "",
        f"`make soak`, {time.strftime('%Y-%m-%d', time.gmtime())}, {result.seconds / 60:.0f} minutes, "
        f"seed {options.seed}, a fault every {options.every:.0f} s. Two workers of two processes each, one with "
        "Celery's pool of processes and one with the pool for short tasks, are started again whenever they end. "
        "Redis writes each change to its file before it answers.",
        "",
        "| count | |",
        "|---|---:|",
        *(f"| {name} | {number:,} |" for name, number in rows.items()),
        "",
        "| fault | times |",
        "|---|---:|",
        *(f"| {name} | {times} |" for name, times in sorted(faults.done.items())),
        "",
        "![Memory of both workers over time](soak.svg)",
        "",
        "| worker | highest | trend |",
        "|---|---:|---:|",
        *(
            f"| {name} | {memory.highest(name):.0f} MiB | {memory.slope(name):+.1f} MiB per hour |"
            for name in memory.workers
        ),
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
