"""One subject's turn in one round: its producer and its worker are started, measured and stopped."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

from compare import kill
from compare.figures import Figures
from compare.listener import listening
from compare.measuring import WARM_UP, Measuring
from compare.records import Records
from compare.subjects import Subject
from compare.worker import Sender, Worker, Workers, environment
from compare.workloads import SIX, Extent, Variant, Workload
from devstack.valkey import Valkey

_BOOT_STALL_SECONDS = 60.0


class Turn:
    """Measures one subject once.

    Args:
        subject: which.
        server: of all subjects; it is emptied here.
        records: of all subjects.
        folder: gets the logs.
        database: the URL of one with the tables of `compare.systems.database`; "" if no workload needs it.
        extent: how much.
        figures: get what is measured.
        say: is told what happens.
    """

    def __init__(
        self,
        subject: Subject,
        server: Valkey,
        records: Records,
        folder: Path,
        *,
        database: str,
        extent: Extent,
        figures: Figures,
        say: Callable[[str], None],
    ) -> None:
        self._subject, self._server, self._records, self._folder = subject, server, records, folder
        self._database, self._extent, self._figures, self._say = database, extent, figures, say
        folder.mkdir(parents=True, exist_ok=True)

    def run(self, workloads: Sequence[Workload]) -> None:
        """Measure.

        Raises:
            Stalled: tasks do not run.
        """
        by_variant: dict[Variant, list[Workload]] = {}
        for workload in workloads:
            by_variant.setdefault(workload.variant, []).append(workload)
        for variant, chosen in by_variant.items():
            self._empty()
            if variant == "kill":
                self._kill()
            elif variant == "six":
                self._measure(chosen, variant, SIX)
            else:
                self._measure(chosen, variant, 1)

    def _environment(self, variant: Variant) -> dict[str, str]:
        server, records = self._server, self._records
        return environment(self._subject, server, records, variant, self._folder, database=self._database)

    def _kill(self) -> None:
        self._say("kill")
        env = self._environment("kill")
        worker = Worker(self._subject, self._folder, env)
        with Sender(self._subject, self._folder, env) as sender:
            self._figures.killed[self._subject.name] = kill.measure(worker, sender, self._server, self._records)

    def _measure(self, workloads: Sequence[Workload], variant: Variant, count: int) -> None:
        env = self._environment(variant)
        subject = self._subject.with_processes(1) if count > 1 else self._subject
        workers, sender = Workers(subject, self._folder, env, count), Sender(subject, self._folder, env)
        measuring = Measuring(workers, sender, self._server, self._records, self._extent)
        try:
            with sender, listening(self._server) if subject.heard else nullcontext():
                self._all(workloads, measuring, workers, sender)
        finally:  # wherever an interrupt has come
            sender.end()
            workers.kill()

    def _all(self, workloads: Sequence[Workload], measuring: Measuring, workers: Workers, sender: Sender) -> None:
        for workload in workloads:
            if workload.kind == "enqueue":
                self._say(workload.name)
                self._add(workload, measuring.enqueue(workload))
        with self._booted(workers, sender, workloads):
            for workload in workloads:
                self._say(workload.name)
                self._add(workload, measuring.measure(workload))

    def _add(self, workload: Workload, measures: dict[str, float]) -> None:
        self._figures.add(workload.name, self._subject.name, measures)

    def _empty(self) -> None:
        with self._server.client() as client:
            client.flushall()
        self._records.clear()

    @contextmanager
    def _booted(self, workers: Workers, sender: Sender, workloads: Sequence[Workload]) -> Iterator[None]:
        """Workers that have run a first task, which waited for them, and some more."""
        sender.send("noop", 1)
        began = time.monotonic()
        with workers:
            self._records.wait(1, workers.alive, stall=_BOOT_STALL_SECONDS)
            seconds = self._records.read()[0][1] - began
            for workload in workloads:
                if workload.kind == "boot":
                    self._add(workload, {"seconds": seconds})
            workers.settle()
            sender.send("noop", WARM_UP)
            self._records.wait(1 + WARM_UP, workers.alive)
            yield
