"""How each workload is measured, with workers that run."""

import statistics
import time

from compare.figures import percentile
from compare.meter import Use, memory
from compare.records import Records
from compare.worker import Sender, Workers
from compare.workloads import PARTS, PILOT, RATE, Extent, Workload
from devstack.valkey import Valkey

WARM_UP = 20
_SETTLE_SECONDS = 0.3  # after the last task, so that its acknowledgement is counted
_LEAST_TASKS = 100
_NOOP = Workload("noop", "", "drain")


class Measuring:
    """Measures workers of one subject.

    Args:
        workers: they run, but for `enqueue`.
        sender: sends their tasks.
        server: of both.
        records: of the workers.
        extent: how much.
    """

    def __init__(self, workers: Workers, sender: Sender, server: Valkey, records: Records, extent: Extent) -> None:
        self._workers, self._sender, self._server, self._records = workers, sender, server, records
        self._extent = extent
        self._rate = 0.0  # tasks a second of the last drain of tasks that do nothing

    def measure(self, workload: Workload) -> dict[str, float]:
        """Measure one workload; its figures by their names in `tables.MEASURES`, none if it is measured elsewhere.

        Raises:
            Stalled: tasks do not run.
        """
        match workload.kind:
            case "idle":
                return self._idle()
            case "latency":
                return self._latency(RATE, self._extent.latency_seconds)
            case "half-load":
                return self._half_load()
            case "mixed":
                return self._mixed(workload)
            case "drain":
                return self._affordable_drain(workload)
        return {}

    def enqueue(self, workload: Workload) -> dict[str, float]:
        """Send tasks that no worker takes."""
        count = self._most(workload)
        self._sender.send(workload.body, WARM_UP, "single")
        measures: dict[str, float] = {}
        for how in ("single", "bulk"):
            found = self._sender.send(workload.body, count, how)
            measures |= {how: count / found["seconds"], f"{how}_cpu": found["cpu"] / count * 10_000}
            with self._server.client() as client:
                client.flushall()
        return measures

    def _most(self, workload: Workload) -> int:
        return max(_LEAST_TASKS, int(self._extent.tasks * workload.share))

    def _idle(self) -> dict[str, float]:
        before = Use.now(self._workers.pids, self._server)
        time.sleep(self._extent.idle_seconds)
        used = Use.now(self._workers.pids, self._server).since(before)
        return {
            "cpu": used.cpu / used.at * 60,
            "commands": used.commands / used.at,
            "server_cpu": used.server_cpu / used.at * 60,
            "mib": memory(self._workers.pids),
        }

    def _latency(self, rate: float, seconds: float) -> dict[str, float]:
        self._records.clear()
        at = self._sender.send("noop", max(2, int(seconds * rate)), "paced", rate=rate)["at"]
        self._records.wait(len(at), self._workers.alive)
        waited = [1000 * (then - at[number]) for number, then in self._records.read()]
        sent = (len(at) - 1) / (at[-1] - at[0])
        return {"p50": percentile(waited, 0.5), "p99": percentile(waited, 0.99), "sent": sent}

    def _half_load(self) -> dict[str, float]:
        drained = self._noop_rate()
        self._records.clear()
        probe = min(self._extent.tasks, int(drained) + _LEAST_TASKS)
        possible = probe / self._sender.send("noop", probe, "single")["seconds"]
        self._records.wait(probe, self._workers.alive)
        rate = min(drained / 2, possible)
        found = self._latency(rate, min(self._extent.latency_seconds, self._extent.tasks / rate))
        return found | {"share": 100 * found["sent"] / drained}

    def _noop_rate(self) -> float:
        if not self._rate:
            self._affordable_drain(_NOOP)
        return self._rate

    def _mixed(self, workload: Workload) -> dict[str, float]:
        """Again and again a long task among short ones, behind so many that the worker expects short ones."""
        affordable = self._noop_rate() * self._extent.seconds / PARTS
        short = int(min(self._most(workload) / PARTS, max(_LEAST_TASKS / PARTS, affordable)))
        before, lasted, waited = short // 5, [], []
        for _ in range(PARTS):
            self._records.clear()
            self._workers.freeze()
            try:
                self._sender.send("noop", before)
                self._sender.send("nap", 1, first=short)
                self._sender.send("noop", short - before, first=before)
                began = time.monotonic()
            finally:
                self._workers.thaw()
            self._records.wait(short + 1, self._workers.alive)
            waits = [then - began for number, then in self._records.read() if number < short]
            lasted.append(max(waits))
            waited += waits
        return {
            "seconds": statistics.median(lasted),
            "p99": 1000 * percentile(waited, 0.99),
            "tasks": short * PARTS,
        }

    def _affordable_drain(self, workload: Workload) -> dict[str, float]:
        most = self._most(workload)
        pilot = self._drain(workload, min(PILOT, most))
        count = min(most, max(_LEAST_TASKS, int(pilot["rate"] * self._extent.seconds)))
        found = self._drain(workload, count)
        if workload.body == "noop":
            self._rate = found["rate"]
        return found

    def _drain(self, workload: Workload, count: int) -> dict[str, float]:
        """Put tasks before stopped workers, let them go on; from the first task's end to the last one's."""
        self._records.clear()
        self._workers.freeze()
        try:
            self._sender.send(workload.body, count)
            before = Use.now(self._workers.pids, self._server)
        finally:
            self._workers.thaw()
        self._records.wait(count, self._workers.alive)
        time.sleep(_SETTLE_SECONDS)
        used = Use.now(self._workers.pids, self._server).since(before)
        times = sorted(then for _, then in self._records.read())
        return {
            "rate": (len(times) - 1) / max(times[-1] - times[0], 1e-6),
            "cpu": used.cpu / count * 10_000,
            "server_cpu": used.server_cpu / count * 10_000,
            "commands": used.commands / count,
            "tasks": count,
        }
