"""One subject's turn in one round: its producer and its worker are started, measured and stopped."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from compare import kill
from compare.figures import Figures, percentile
from compare.meter import Use, memory
from compare.records import Records
from compare.subjects import Subject
from compare.worker import Sender, Worker, environment
from compare.workloads import PILOT, RATE, Extent, Variant, Workload
from devstack.valkey import Valkey

_SETTLE_SECONDS = 0.3  # after the last task, so that its acknowledgement is counted
_BOOT_STALL_SECONDS = 60.0
_LEAST_TASKS = 100
_WARM_UP = 20


class Turn:
    """Measures one subject once.

    Args:
        subject: which.
        server: of all subjects; it is emptied here.
        records: of all subjects.
        folder: gets the logs.
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
        extent: Extent,
        figures: Figures,
        say: Callable[[str], None],
    ) -> None:
        self._subject, self._server, self._records, self._folder = subject, server, records, folder
        self._extent, self._figures, self._say = extent, figures, say
        folder.mkdir(parents=True, exist_ok=True)

    def run(self, workloads: Sequence[Workload], *, with_kill: bool) -> None:
        """Measure.

        Raises:
            Stalled: tasks do not run.
        """
        by_variant: dict[Variant, list[Workload]] = {}
        for workload in workloads:
            by_variant.setdefault(workload.variant, []).append(workload)
        for variant, chosen in by_variant.items():
            if variant == "kill" and not with_kill:
                continue
            env = environment(self._subject, self._server, self._records, variant, self._folder)
            self._empty()
            worker, sender = Worker(self._subject, self._folder, env), Sender(self._subject, self._folder, env)
            try:
                with sender:
                    self._measure(chosen, worker, sender)
            finally:  # wherever an interrupt has come
                sender.end()
                worker.kill()
                worker.stop(0)

    def _measure(self, workloads: Sequence[Workload], worker: Worker, sender: Sender) -> None:
        if workloads[0].kind == "kill":
            self._say("kill")
            self._figures.killed[self._subject.name] = kill.measure(worker, sender, self._server, self._records)
            return
        for workload in workloads:
            if workload.kind == "enqueue":
                self._say(workload.name)
                self._add(workload, self._enqueue(workload, sender))
        with self._booted(worker, sender, workloads):
            for workload in workloads:
                self._say(workload.name)
                match workload.kind:
                    case "idle":
                        self._add(workload, self._idle(worker))
                    case "latency":
                        self._add(workload, self._latency(workload, worker, sender))
                    case "drain":
                        self._add(workload, self._affordable_drain(workload, worker, sender))

    def _add(self, workload: Workload, measures: dict[str, float]) -> None:
        self._figures.add(workload.name, self._subject.name, measures)

    def _empty(self) -> None:
        with self._server.client() as client:
            client.flushall()
        self._records.clear()

    @contextmanager
    def _booted(self, worker: Worker, sender: Sender, workloads: Sequence[Workload]) -> Iterator[None]:
        """A worker that has run its first task, which waited for it, and some more."""
        sender.send("noop", 1)
        began = time.monotonic()
        with worker:
            self._records.wait(1, worker.alive, stall=_BOOT_STALL_SECONDS)
            seconds = self._records.read()[0][1] - began
            for workload in workloads:
                if workload.kind == "boot":
                    self._add(workload, {"seconds": seconds})
            sender.send("noop", _WARM_UP)
            self._records.wait(1 + _WARM_UP, worker.alive)
            yield

    def _enqueue(self, workload: Workload, sender: Sender) -> dict[str, float]:
        count = max(_LEAST_TASKS, int(self._extent.tasks * workload.share))
        sender.send(workload.body, _WARM_UP, "single")
        measures: dict[str, float] = {}
        for how in ("single", "bulk"):
            found = sender.send(workload.body, count, how)
            measures |= {how: count / found["seconds"], f"{how}_cpu": found["cpu"] / count * 10_000}
            self._empty()
        return measures

    def _idle(self, worker: Worker) -> dict[str, float]:
        before = Use.now(worker.pid, self._server)
        time.sleep(self._extent.idle_seconds)
        used = Use.now(worker.pid, self._server).since(before)
        return {
            "cpu": used.cpu / used.at * 60,
            "commands": used.commands / used.at,
            "server_cpu": used.server_cpu / used.at * 60,
            "mib": memory(worker.pid),
        }

    def _latency(self, workload: Workload, worker: Worker, sender: Sender) -> dict[str, float]:
        self._records.clear()
        at = sender.send(workload.body, int(self._extent.latency_seconds * RATE), "paced", rate=RATE)["at"]
        self._records.wait(len(at), worker.alive)
        waited = [1000 * (then - at[number]) for number, then in self._records.read()]
        return {"p50": percentile(waited, 0.5), "p99": percentile(waited, 0.99)}

    def _affordable_drain(self, workload: Workload, worker: Worker, sender: Sender) -> dict[str, float]:
        most = max(_LEAST_TASKS, int(self._extent.tasks * workload.share))
        pilot = self._drain(workload, worker, sender, min(PILOT, most))
        count = min(most, max(_LEAST_TASKS, int(pilot["rate"] * self._extent.seconds)))
        return self._drain(workload, worker, sender, count)

    def _drain(self, workload: Workload, worker: Worker, sender: Sender, count: int) -> dict[str, float]:
        """Put tasks before a stopped worker, let it go on; from the first task's end to the last one's."""
        self._records.clear()
        worker.freeze()
        try:
            sender.send(workload.body, count)
            before = Use.now(worker.pid, self._server)
        finally:
            worker.thaw()
        self._records.wait(count, worker.alive)
        time.sleep(_SETTLE_SECONDS)
        used = Use.now(worker.pid, self._server).since(before)
        times = sorted(then for _, then in self._records.read())
        return {
            "rate": (len(times) - 1) / max(times[-1] - times[0], 1e-6),
            "cpu": used.cpu / count * 10_000,
            "server_cpu": used.server_cpu / count * 10_000,
            "commands": used.commands / count,
            "tasks": count,
        }
