"""`make chaos-compose`: one fault after the other, to the containers of docker-compose.yml, and what they lose.

Each scenario has a compose project of its own, on ports of its own. Exits 1 if anything was lost or doubled. A full run
writes docs/reference/proof-compose.md.
"""

import argparse
import os
import sys
import threading
import time
import traceback
from concurrent.futures import Future, ThreadPoolExecutor

from rich.console import Console
from rich.live import Live
from rich.table import Table

from chaos import compose_faults, compose_report, report
from chaos.compose_scenario import COMPOSE_SCENARIOS, ComposeScenario
from chaos.compose_side import ComposeSide
from chaos.counts import Counts
from chaos.subjects import Stopping
from devstack.folders import new_folder
from devstack.interrupts import end_on_signals
from devstack.rabbitmq import docker_answers

FAMILIES = (compose_faults,)  # imported to register


def main() -> int:
    """Run the chosen scenarios; the exit code."""
    parser = argparse.ArgumentParser(
        prog="make chaos-compose", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", action="append", metavar="NAME", help="run this scenario; may be given several times")
    parser.add_argument("--list", action="store_true", help="list the scenarios and end")
    parser.add_argument("--jobs", type=int, default=2, help="scenarios at a time (default: 2)")
    options = parser.parse_args()
    if options.list:
        print("\n".join(f"{each.name:20} {each.title} (up to {each.seconds:.0f} s)" for each in COMPOSE_SCENARIOS))
        return 0
    unknown = set(options.only or ()) - {each.name for each in COMPOSE_SCENARIOS}
    if unknown:
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}; --list shows them")
    if not docker_answers():
        parser.error("there is no Docker engine: start it, or run `make chaos`, which needs none")
    chosen = [each for each in COMPOSE_SCENARIOS if not options.only or each.name in options.only]
    end_on_signals()
    return ComposeRun(chosen, options.jobs).go(write=not options.only)


class ComposeRun:
    """One run over some scenarios.

    Args:
        scenarios: which.
        jobs: how many at a time.
    """

    def __init__(self, scenarios: list[ComposeScenario], jobs: int) -> None:
        self._scenarios, self._jobs = scenarios, jobs
        self._console = Console(width=None if sys.stdout.isatty() else 150)
        self._folder = new_folder("chaos-compose")
        self._stopping = threading.Event()
        self._states: dict[report.Key, str] = {}
        self._errors: dict[str, str] = {}
        self._counts: dict[report.Key, Counts] = {}

    def go(self, *, write: bool) -> int:
        """Run all; the exit code."""
        began = time.monotonic()
        try:
            self._run_all()
        except KeyboardInterrupt:
            self._console.print("Stopped.")
            return 130
        seconds = time.monotonic() - began
        if write:
            counts = {name: counts for (name, _), counts in self._counts.items()}
            cores = os.cpu_count() or 1
            text = compose_report.page(self._scenarios, counts, seconds=seconds, jobs=self._jobs, cores=cores)
            compose_report.PAGE.write_text(text)
        return self._conclude(seconds, written=write)

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
                pool.shutdown(cancel_futures=True)  # waits until their containers are gone
                raise

    def _run(self, scenario: ComposeScenario) -> None:
        key = (scenario.name, "template")
        folder = self._folder / scenario.name
        folder.mkdir(parents=True)
        side = ComposeSide(scenario, folder, self._stopping)
        self._states[key] = "runs"
        try:
            scenario.run(side)
            self._counts[key] = side.count()
        except Stopping:
            self._states[key] = "stopped"
        except Exception as error:  # noqa: BLE001 - one broken scenario must not end the others
            (folder / "error.txt").write_text(traceback.format_exc())
            self._states[key] = "error"
            self._errors[scenario.name] = f"{type(error).__name__}: {error}"
        finally:
            side.close()

    def _table(self) -> Table:
        return report.table(self._scenarios, ("template",), self._states, self._counts)

    def _conclude(self, seconds: float, *, written: bool) -> int:
        bad = 0
        for scenario in self._scenarios:
            found = self._counts.get((scenario.name, "template"))
            problems = found.problems if found else [self._errors.get(scenario.name, "did not run")]
            bad += bool(problems)
            if problems:
                self._console.print(f"[red]{scenario.name}: {'; '.join(problems)}")
            for note in found.notes if found else ():
                self._console.print(f"{scenario.name}: {note}")
        self._console.print(f"{seconds:.0f} s; logs: {self._folder}", soft_wrap=True)
        if written:
            self._console.print(f"Written: {compose_report.PAGE}", soft_wrap=True)
        return int(bad > 0)


def _wait(runs: "list[Future[None]]") -> None:
    for run in runs:
        while not run.done():
            time.sleep(0.2)  # not `result()`, which would hold signals back
        run.result()


if __name__ == "__main__":
    sys.exit(main())
