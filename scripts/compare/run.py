"""One run: all rounds over all subjects, with progress, a table in the end, and the page."""

import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from compare import page, plot, tables
from compare.figures import Figures
from compare.records import Records, Stalled
from compare.subjects import Subject
from compare.surroundings import Surroundings
from compare.turn import Turn
from compare.workloads import Extent, Workload
from devstack.folders import new_folder
from devstack.process import NotReady
from devstack.valkey import Valkey

_TRIES = 2  # a subject that cannot be measured in so many turns gets no other one


class Run:
    """Measures subjects.

    Args:
        subjects: which.
        workloads: what of them.
        extent: how much.
        console: gets progress and tables.
    """

    def __init__(
        self, subjects: Sequence[Subject], workloads: Sequence[Workload], extent: Extent, console: Console
    ) -> None:
        self._subjects, self._workloads, self._extent, self._console = subjects, workloads, extent, console
        self._folder = new_folder("bench")
        self._figures = Figures()

    def go(self, *, write: bool) -> int:
        """Run all; the exit code: 1 if a subject could not be measured, 130 if it was stopped."""
        surroundings = Surroundings(datetime.now(UTC), os.getloadavg()[0], time.monotonic())
        code = 0
        try:
            with Valkey(self._folder / "valkey") as server:
                self._all_rounds(server)
                surroundings.look(server, self._subjects)
        except KeyboardInterrupt:
            self._console.print("Stopped.")
            code = 130
        self._figures.write(self._folder / "figures.json")
        for table in tables.all_tables(self._workloads, self._subjects, self._figures):
            self._console.print(table)
        for subject, problems in self._figures.problems.items():
            for problem in problems:
                code = code or 1
                self._console.print(f"[red]{subject}: {escape(problem)}[/]")
        self._console.print(f"{surroundings.sentence()}\nfigures and logs: {self._folder}", soft_wrap=True)
        if write and code != 130:  # noqa: PLR2004 - as a shell counts
            plot.draw(self._subjects, self._figures)
            page.write(page.text(self._workloads, self._subjects, self._figures, self._extent, surroundings))
            self._console.print(f"Written: {page.PAGE}", soft_wrap=True)
        return code

    def _all_rounds(self, server: Valkey) -> None:
        records = Records(self._folder / "records")
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self._console, refresh_per_second=4) as progress:
            bar = progress.add_task("", total=self._extent.rounds * len(self._subjects))
            for number in range(self._extent.rounds):
                first = number % len(self._subjects)
                for subject in (*self._subjects[first:], *self._subjects[:first]):
                    self._turn(subject, server, records, number, progress, bar)
                    progress.advance(bar)

    def _turn(
        self, subject: Subject, server: Valkey, records: Records, number: int, progress: Progress, bar: TaskID
    ) -> None:
        if len(self._figures.problems[subject.name]) >= _TRIES:
            return
        turn = Turn(
            subject,
            server,
            records,
            self._folder / subject.name,
            extent=self._extent,
            figures=self._figures,
            say=lambda what: progress.update(bar, description=f"round {number + 1}: {subject.name}: {what}"),
        )
        began = time.monotonic()
        try:
            turn.run(self._workloads, with_kill=number == 0)
        except (Stalled, NotReady) as error:
            self._figures.problems[subject.name].append(f"{error}; logs: {self._folder / subject.name}")
        seconds = time.monotonic() - began
        line = tables.line(self._workloads, subject, self._figures)
        self._console.print(f"round {number + 1}, {seconds:3.0f} s, {subject.name}: {line}", highlight=False)
