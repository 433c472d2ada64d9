"""`make chaos`: one fault after the other, to a worker of the template and to one of plain Celery, and what they lose.

Everything runs on this machine, on servers that Python packages bring. Exits 1 if the template lost or doubled
anything. A full run writes docs/reference/proof.md, and one with --pools docs/reference/proof-pools.md.
"""

import argparse
import os
import sys
import threading
import time
import traceback
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import get_args

from rich.console import Console
from rich.live import Live
from rich.table import Table

from chaos import faults_broker, faults_messages, faults_neighbours, faults_outside, faults_processes, report
from chaos.counts import Counts, count
from chaos.scenario import SCENARIOS, Scenario
from chaos.subjects import POOLS, Kind, Side, Stopping
from devstack.folders import new_folder
from devstack.interrupts import end_on_signals
from devstack.valkey import Valkey

FAMILIES = (faults_processes, faults_broker, faults_messages, faults_neighbours, faults_outside)  # imported to register
KINDS: tuple[Kind, ...] = get_args(Kind)


def main() -> int:
    """Run the chosen scenarios; the exit code."""
    parser = argparse.ArgumentParser(
        prog="make chaos", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", action="append", metavar="NAME", help="run this scenario; may be given several times")
    parser.add_argument("--list", action="store_true", help="list the scenarios and end")
    parser.add_argument("--jobs", type=int, default=3, help="scenarios at a time (default: 3)")
    parser.add_argument("--pools", action="store_true", help="the template's other pools instead, without plain Celery")
    parser.add_argument("--side", action="append", choices=KINDS, help="this side; may be given several times")
    options = parser.parse_args()
    if options.list:
        print("\n".join(f"{each.name:20} {each.title} (up to {each.seconds:.0f} s)" for each in SCENARIOS))
        return 0
    unknown = set(options.only or ()) - {each.name for each in SCENARIOS}
    if unknown:
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}; --list shows them")
    chosen = [each for each in SCENARIOS if not options.only or each.name in options.only]
    page = report.POOLS_PAGE if options.pools else report.PAGE
    kinds: tuple[Kind, ...] = tuple(POOLS) if options.pools else ("plain", "template")
    end_on_signals()
    run = Run(chosen, tuple(options.side or kinds), options.jobs)
    return run.go(None if options.only or options.side else page)


class Run:
    """One run over some scenarios.

    Args:
        scenarios: which.
        kinds: which subjects.
        jobs: how many scenarios at a time.
    """

    def __init__(self, scenarios: list[Scenario], kinds: tuple[Kind, ...], jobs: int) -> None:
        self._scenarios, self._kinds, self._jobs = scenarios, kinds, jobs
        self._console = Console(width=None if sys.stdout.isatty() else 150)
        self._folder = new_folder("chaos")
        self._ledger = Valkey(self._folder / "ledger")
        self._stopping = threading.Event()
        self._states: dict[report.Key, str] = {}
        self._errors: dict[report.Key, str] = {}
        self._counts: dict[report.Key, Counts] = {}

    def go(self, page: Path | None) -> int:
        """Run all, and write that page; the exit code."""
        began = time.monotonic()
        try:
            with self._ledger:
                self._run_all()
                seconds = time.monotonic() - began
                if page:
                    text = report.page(
                        self._scenarios,
                        self._kinds,
                        self._counts,
                        server=self._ledger,
                        seconds=seconds,
                        jobs=self._jobs,
                        cores=os.cpu_count() or 1,
                    )
                    page.write_text(text)
        except KeyboardInterrupt:
            self._console.print("Stopped.")
            return 130
        return self._conclude(seconds, page)

    def _run_all(self) -> None:
        # Longest first, so that no long one is left over at the end.
        order = sorted(self._scenarios, key=lambda each: -each.seconds)
        with (
            Live(get_renderable=self._table, console=self._console, refresh_per_second=1),
            ThreadPoolExecutor(self._jobs) as pool,
        ):
            runs = [pool.submit(self._run, scenario) for scenario in order]
            try:
                _wait(runs)
            except BaseException:
                self._stopping.set()
                pool.shutdown(cancel_futures=True)
                raise

    def _run(self, scenario: Scenario) -> None:
        sides = [threading.Thread(target=self._run_side, args=(scenario, kind)) for kind in self._kinds]
        for side in sides:
            side.start()
        for side in sides:
            side.join()

    def _run_side(self, scenario: Scenario, kind: Kind) -> None:
        key = (scenario.name, kind)
        folder = self._folder / scenario.name / kind
        folder.mkdir(parents=True)
        side = Side(kind, scenario, folder, self._ledger, self._stopping)
        self._states[key] = "runs"
        try:
            side.start_server()
            scenario.run(side)
            self._counts[key] = count(side)
        except Stopping:
            self._states[key] = "stopped"
        except Exception as error:  # noqa: BLE001 - one broken scenario must not end the others
            (folder / "error.txt").write_text(traceback.format_exc())
            self._states[key] = "error"
            self._errors[key] = f"{type(error).__name__}: {error}"
        finally:
            side.close()

    def _table(self) -> Table:
        return report.table(self._scenarios, self._kinds, self._states, self._counts)

    def _conclude(self, seconds: float, page: Path | None) -> int:
        bad = 0
        for scenario in self._scenarios:
            for kind in self._kinds:
                found = self._counts.get((scenario.name, kind))
                if found is None:
                    bad += 1
                    self._console.print(
                        f"[red]{scenario.name}, {kind}: {self._errors.get((scenario.name, kind), 'did not run')}"
                    )
                elif kind != "plain" and found.problems:
                    bad += 1
                    self._console.print(f"[red]{scenario.name}, {kind}: {'; '.join(found.problems)}")
                for note in found.notes if found else ():
                    self._console.print(f"{scenario.name}, {kind}: {note}")
        self._console.print(f"{seconds:.0f} s; logs: {self._folder}", soft_wrap=True)
        if page:
            self._console.print(f"Written: {page}", soft_wrap=True)
        return int(bad > 0)


def _wait(runs: "list[Future[None]]") -> None:
    for run in runs:
        while not run.done():
            time.sleep(0.2)  # not `result()`, which would hold signals back
        run.result()


if __name__ == "__main__":
    sys.exit(main())
