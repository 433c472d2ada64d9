"""One run: all rounds over all subjects, with progress, a table in the end, and the page."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from compare import page, plot, tables
from compare.figures import Figures
from compare.records import Records, Stalled
from compare.subjects import Subject
from compare.surroundings import Surroundings
from compare.systems.database import TABLES
from compare.turn import Turn
from compare.workloads import Extent, Workload
from devstack.folders import new_folder
from devstack.postgres import Postgres
from devstack.process import NotReady
from devstack.valkey import Valkey

_STOPPED = 130  # as a shell counts
_TRIES = 2  # a subject that cannot be measured in so many turns gets no other one


class Run:
    """Measures subjects.

    Args:
        subjects: which.
        workloads: what of them.
        extent: how much.
        console: gets progress and tables.

    Attributes:
        figures: what was measured.
    """

    def __init__(
        self, subjects: Sequence[Subject], workloads: Sequence[Workload], extent: Extent, console: Console
    ) -> None:
        self._subjects, self._workloads, self._extent, self._console = subjects, workloads, extent, console
        self._folder = new_folder("bench")
        self.figures = Figures()

    def go(self, *, write: bool) -> int:
        """Run all, show it, and write the page; the exit code, as of `measure`."""
        code, surroundings = self.measure()
        for table in tables.all_tables(self._workloads, self._subjects, self.figures):
            self._console.print(table)
        if write and code != _STOPPED:
            plot.draw(self._subjects, self.figures)
            page.write(page.text(self._workloads, self._subjects, self.figures, self._extent, surroundings))
            self._console.print(f"Written: {page.PAGE}", soft_wrap=True)
        return code

    def measure(self) -> tuple[int, Surroundings]:
        """Run all.

        Returns:
            The exit code, 1 if a subject could not be measured, 130 if it was stopped; and when and where it was.
        """
        surroundings = Surroundings(datetime.now(UTC), os.getloadavg()[0], time.monotonic())
        code = 0
        try:
            with Valkey(self._folder / "valkey") as server, self._database() as database:
                self._all_rounds(server, database)
                surroundings.look(server, self._subjects)
        except KeyboardInterrupt:
            self._console.print("Stopped.")
            code = _STOPPED
        self._tell(surroundings)
        return code or int(any(self.figures.problems.values())), surroundings

    def _tell(self, surroundings: Surroundings) -> None:
        self.figures.write(self._folder / "figures.json")
        for subject, problems in self.figures.problems.items():
            for problem in problems:
                self._console.print(f"[red]{subject}: {escape(problem)}[/]")
        self._console.print(f"{surroundings.sentence()}\nfigures and logs: {self._folder}", soft_wrap=True)

    @contextmanager
    def _database(self) -> Iterator[str]:
        """The URL of a database, if a workload needs one."""
        if not any(workload.variant == "database" for workload in self._workloads):
            yield ""
            return
        with Postgres(self._folder / "postgres") as server, server.new_database() as database:
            with database.connect() as connection:
                connection.execute(TABLES)
            yield database.url

    def _all_rounds(self, server: Valkey, database: str) -> None:
        records = Records(self._folder / "records")
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self._console, refresh_per_second=4) as progress:
            bar = progress.add_task("", total=self._extent.rounds * len(self._subjects))
            for number in range(self._extent.rounds):
                first = number % len(self._subjects)
                for subject in (*self._subjects[first:], *self._subjects[:first]):
                    self._turn(subject, server, database, records, number, progress, bar)
                    progress.advance(bar)

    def _turn(
        self,
        subject: Subject,
        server: Valkey,
        database: str,
        records: Records,
        number: int,
        progress: Progress,
        bar: TaskID,
    ) -> None:
        workloads = [each for each in self._workloads if subject.has(each, first_round=number == 0)]
        if len(self.figures.problems[subject.name]) >= _TRIES or not workloads:
            return
        turn = Turn(
            subject,
            server,
            records,
            self._folder / subject.name,
            database=database,
            extent=self._extent,
            figures=self.figures,
            say=lambda what: progress.update(bar, description=f"round {number + 1}: {subject.name}: {what}"),
        )
        began = time.monotonic()
        try:
            turn.run(workloads)
        except (Stalled, NotReady) as error:
            self.figures.problems[subject.name].append(f"{error}; logs: {self._folder / subject.name}")
        seconds = time.monotonic() - began
        line = tables.line(workloads, subject, self.figures)
        self._console.print(f"round {number + 1}, {seconds:3.0f} s, {subject.name}: {line}", highlight=False)
