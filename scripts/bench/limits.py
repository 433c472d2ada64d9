"""Measures, for each pool, how late a hard time limit ends a task that stops for nothing, and a busy worker's answers.

Real workers of two processes on a real Valkey. "ended" is the moment when the task's process is dead, or for a
coroutine that waits, when its caller hears of it; both are counted from the moment at which the limit was over. While
both processes use their processors, `celery inspect ping`'s message is sent and its answer waited for.
"""

import argparse
import statistics
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from celery import Celery
from rich.console import Console
from rich.table import Column, Table

from devstack.interrupts import end_on_signals
from devstack.valkey import Valkey
from devstack.worker import WORKER, WorkerProcess
from taskclient.client import TaskClient
from taskclient.errors import TaskFailed
from taskclient.handle import TaskHandle

SOURCE = Path(__file__).parent / "limits_worker"
TASK = "app.tasks.bench."
HARD_LIMIT = 1.0  # seconds; of the worker's tasks
PINGS = 20
BURN_SECONDS = 14.0
PATIENCE = 20.0
TITLES = {"deaf": "catches everything", "c_loop": "in C code", "patient": "a coroutine that waits on"}


@dataclass(frozen=True)
class Pool:
    """What is measured."""

    title: str
    setting: str
    tasks: tuple[str, ...] = ("deaf", "c_loop")


POOLS = (
    Pool("prefork", "workerkit.prefork.pool:TaskPool"),
    Pool("short tasks", "workerkit.short_tasks.pool:TaskPool"),
    Pool("coroutines", "workerkit.async_tasks.pool:AsyncPool", ("deaf", "c_loop", "patient")),
)


def main() -> None:
    """Measure all pools and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="of each task (default: 5)")
    arguments = parser.parse_args()
    end_on_signals()
    table = Table("pool", "what", *(Column(title, justify="right") for title in ("median ms", "highest ms", "times")))
    for pool in POOLS:
        with tempfile.TemporaryDirectory() as folder:
            for what, late in _measure(pool, Path(folder), arguments.runs).items():
                found = (f"{statistics.median(late):.0f}", f"{max(late):.0f}", str(len(late)))
                table.add_row(pool.title, what, *found)
    Console().print(table)


def _measure(pool: Pool, folder: Path, runs: int) -> dict[str, list[float]]:
    trace = folder / "trace"
    settings = {
        "BENCH_TRACE": str(trace),
        "BENCH_HARD_LIMIT": str(HARD_LIMIT),
        "BENCH_COROUTINES": str(int("patient" in pool.tasks)),
        "CELERYCONFIG_WORKER_POOL": pool.setting,
    }
    found: dict[str, list[float]] = {}
    with Valkey(folder / "valkey") as server, TaskClient(server.url) as client:
        worker = WorkerProcess(
            server, SOURCE, "bench_app", folder=folder, arguments=(*WORKER, "--concurrency", "2"), settings=settings
        )
        with worker:
            for task in pool.tasks:
                late = [_late(client.send(TASK + task), trace, by_process=task != "patient") for _ in range(runs)]
                found[f"ends a task: {TITLES[task]}"] = late
            found["answers a ping, all processes busy"] = _pings(server, client)
            worker.kill()
    return found


def _late(handle: TaskHandle, trace: Path, *, by_process: bool) -> float:
    """Milliseconds from the limit to the end."""
    while not (trace.exists() and trace.read_text().endswith("\n")):
        time.sleep(0.001)
    began, pid = trace.read_text().split()
    if by_process:
        _await_death(int(pid))
    ended = time.monotonic()
    with suppress(TaskFailed):
        handle.result(PATIENCE)
    trace.unlink()
    return ((ended if by_process else time.monotonic()) - float(began) - HARD_LIMIT) * 1000


def _await_death(pid: int) -> None:
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        while process.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.001)


def _pings(server: Valkey, client: TaskClient) -> list[float]:
    found = []
    for _ in range(2):
        client.send(TASK + "burn", seconds=BURN_SECONDS)
    with Celery(broker=server.url) as app:
        app.control.ping(timeout=2, limit=1)  # connects
        for _ in range(PINGS):
            began = time.monotonic()
            if not app.control.ping(timeout=PATIENCE, limit=1):
                raise TimeoutError(f"the worker did not answer within {PATIENCE} s")
            found.append((time.monotonic() - began) * 1000)
            time.sleep(0.2)
    return found


if __name__ == "__main__":
    main()
