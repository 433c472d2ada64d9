"""`make bench-growth`: what a task costs with more and more processes, and queued, delayed and dead messages.

Rounds over all cases, each with a new worker of the pool for short tasks on an emptied Redis. A full run writes
docs/reference/growth.md.
"""

import argparse
import statistics
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import track

from compare.meter import Use
from compare.records import Records
from compare.subjects import SUBJECTS
from compare.worker import Worker, environment
from devstack.folders import new_folder
from devstack.interrupts import end_on_signals
from devstack.services import ROOT
from devstack.valkey import Valkey
from devstack.waiting import wait_for
from taskclient.client import TaskClient
from taskclient.connection import RedisClient
from taskclient.letters import dead_key

TASK, QUEUE, DELAYED = "app.tasks.bench.noop", "bench", "worker:bench:delayed"
COUNTED = 10_000  # tasks of each case, if it has as many
PAGE = ROOT / "docs/reference/growth.md"
_FILL_SECONDS = 600.0
_CHUNK = 10_000


@dataclass(frozen=True)
class Case:
    """What there is when tasks begin to run.

    Args:
        axis: which of the others grows.
        processes: of the pool.
        queued: messages in the queue.
        delayed: messages whose time comes in an hour.
        dead: dead letters.
    """

    axis: str
    processes: int = 2
    queued: int = COUNTED
    delayed: int = 0
    dead: int = 0

    @property
    def amount(self) -> int:
        """Of what grows."""
        return int(getattr(self, self.axis))


CASES = (
    *(Case("processes", processes=amount) for amount in (1, 2, 4, 8)),
    *(Case("queued", queued=amount) for amount in (1_000, 10_000, 100_000, 1_000_000)),
    *(Case("delayed", delayed=amount) for amount in (1_000, 10_000, 100_000)),
    *(Case("dead", dead=amount) for amount in (100, 1_000, 10_000)),
)


@dataclass(frozen=True)
class Cost:
    """What tasks cost: how many ran in a second, and CPU seconds of the worker and of Redis for 10,000."""

    rate: float
    cpu: float
    server_cpu: float


def main() -> int:
    """Measure all cases; the exit code."""
    parser = argparse.ArgumentParser(
        prog="make bench-growth", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3, help="turns of each case (default: 3)")
    parser.add_argument("--only", choices=sorted({case.axis for case in CASES}), help="print this axis, write nothing")
    options = parser.parse_args()
    end_on_signals()
    console = Console(width=None if sys.stdout.isatty() else 120)
    cases = [case for case in CASES if options.only in {None, case.axis}]
    folder = new_folder("growth")
    found: dict[Case, list[Cost]] = defaultdict(list)
    with Valkey(folder / "valkey") as server:
        for number in range(options.rounds):
            for case in track(cases, f"round {number + 1}", console=console):
                found[case].append(_measure(case, server, folder))
    medians = {case: _median(costs) for case, costs in found.items()}
    text = _page(medians, options.rounds)
    console.print(text, markup=False, highlight=False)
    if options.only is None:
        PAGE.write_text(text)
        _draw(medians, PAGE.with_suffix(".svg"))
    return 0


def _measure(case: Case, server: Valkey, folder: Path) -> Cost:
    records = Records(folder / "records")
    short = next(each for each in SUBJECTS if each.name == "template-short")
    subject = short.with_processes(case.processes)
    with server.client() as redis, TaskClient(server.url, max_backlog=0) as client:
        redis.flushall()
        worker = Worker(subject, folder, environment(subject, server, records, "", folder))
        try:
            worker.start()
            client.send_many(TASK, ({"number": -1} for _ in range(case.processes * 50)))
            records.wait(case.processes * 50, worker.alive, stall=60)
            _prepare(case, redis, client)
            return _drain(case, server, worker, records, client)
        finally:
            worker.kill()
            worker.stop(0)


def _prepare(case: Case, redis: RedisClient, client: TaskClient) -> None:
    """Have the worker put aside what is delayed, and bury what is dead."""
    for first in range(0, case.delayed, _CHUNK):
        client.send_many(TASK, ({"number": 0} for _ in range(min(_CHUNK, case.delayed - first))), countdown=3600)
    for number in range(case.dead):
        redis.lpush(QUEUE, b"no message %d" % number)
    wait_for(lambda: _count(redis, DELAYED) == case.delayed, _FILL_SECONDS)
    wait_for(lambda: _count(redis, dead_key("bench")) == case.dead, _FILL_SECONDS)


def _count(redis: RedisClient, key: str) -> int:
    return int(redis.zcard(key))


def _drain(case: Case, server: Valkey, worker: Worker, records: Records, client: TaskClient) -> Cost:
    """Put tasks before a stopped worker, let it go on, and count the first of them."""
    count = min(COUNTED, case.queued)
    worker.freeze()
    try:
        for first in range(0, case.queued, _CHUNK):
            numbers = range(first, min(first + _CHUNK, case.queued))
            client.send_many(TASK, ({"number": number} for number in numbers))
        records.clear()
        before = Use.now([worker.pid], server)
    finally:
        worker.thaw()
    records.wait(count, worker.alive)
    used = Use.now([worker.pid], server).since(before)
    times = sorted(at for _, at in records.read())
    ran = len(times)
    rate = (count - 1) / (times[count - 1] - times[0])
    return Cost(rate, used.cpu / ran * 10_000, used.server_cpu / ran * 10_000)


def _median(costs: Sequence[Cost]) -> Cost:
    return Cost(*(statistics.median(getattr(cost, name) for cost in costs) for name in ("rate", "cpu", "server_cpu")))


def _page(medians: dict[Case, Cost], rounds: int) -> str:
    lines = [
        "# Growth: what a task costs when there is more of everything",
        "",
        f"`make bench-growth`, {datetime.now(UTC):%Y-%m-%d}, medians of {rounds} rounds: a worker of the pool for "
        f"short tasks, two processes where nothing else is said, runs {COUNTED:,} tasks that do nothing. CPU seconds "
        "are for 10,000 tasks.",
        "",
        f"![Rates]({PAGE.stem}.svg)",
        "",
        "| what grows | how many | tasks /s | CPU s of the worker | CPU s of Redis |",
        "|---|---:|---:|---:|---:|",
        *(
            f"| {case.axis} | {case.amount:,} | {cost.rate:,.0f} | {cost.cpu:.2f} | {cost.server_cpu:.2f} |"
            for case, cost in medians.items()
        ),
        "",
    ]
    return "\n".join(lines)


def _draw(medians: dict[Case, Cost], path: Path) -> None:
    axes_names = list(dict.fromkeys(case.axis for case in medians))
    figure = Figure(figsize=(11, 3), layout="tight")
    for panel, axis in zip(figure.subplots(1, len(axes_names), sharey=True), axes_names, strict=True):
        points = [(case.amount, cost.rate) for case, cost in medians.items() if case.axis == axis]
        panel.plot(*zip(*points, strict=True), marker="o", color="#2a6f97")
        panel.set_xscale("log")
        panel.set_ylim(bottom=0)
        panel.set_title(f"tasks /s by {axis}", fontsize=9)
        panel.grid(visible=True, alpha=0.3)
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    sys.exit(main())
