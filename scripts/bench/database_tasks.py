"""Measures database tasks: sessions from one pool per process beside a new engine and event loop for every task.

Each task does one SELECT and one INSERT. Real workers take them from a real Valkey and work on a real PostgreSQL, all
on this machine. The patterns take turns, round by round, so that whatever else the machine does hits all of them; what
counts is the ratio of their medians. A round's tasks are queued before it begins.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from celery import Celery
from rich.console import Console
from rich.table import Column, Table

from devstack.postgres import Database, Postgres
from devstack.valkey import Valkey
from devstack.worker import WORKER, WorkerProcess

SOURCE = Path(__file__).parent / "database_worker"
TASK = "app.tasks.bench.visit"
PREPARED = "prepared"  # a list that no worker takes from
PROCESSES, POOL_SIZE = 2, 2  # per worker
WARM_UP = 60  # tasks
PATIENCE = 600.0  # seconds for one round
MOST_SECONDS = 120.0  # for all rounds of a pattern; a slower one gets fewer tasks
LOOK_SECONDS = 0.02
TABLES = """
CREATE TABLE customer (id integer PRIMARY KEY, name text NOT NULL);
CREATE TABLE visit (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer integer NOT NULL, number integer);
INSERT INTO customer SELECT number, 'customer ' || number FROM generate_series(0, 99) AS number;
"""
LOOK = "SELECT (SELECT count(*) FROM visit), count(*) FROM pg_stat_activity WHERE application_name = %s"


@dataclass
class Pattern:
    """What is measured, and what was seen; `rates` in tasks per second, one for each round."""

    name: str
    title: str
    tasks: int = 0
    rates: list[float] = field(default_factory=list)
    connections: int = 0


PATTERNS = [
    Pattern("sync", "get_sync_db()"),
    Pattern("async", "run_async + get_task_session()"),
    Pattern("new-engine", "asyncio.run + new async engine"),
]


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=10_000, help="per pattern, over all rounds (default: 10000)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each pattern (default: 5)")
    arguments = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory() as folder, _everything(Path(folder)) as bench:
        for pattern in PATTERNS:
            bench.round(pattern, WARM_UP)
            rate = bench.round(pattern, WARM_UP)
            pattern.tasks = max(arguments.rounds, min(arguments.tasks, int(rate * MOST_SECONDS)))
            pattern.connections = 0
        for number in range(arguments.rounds):
            for pattern in PATTERNS:
                pattern.rates.append(bench.round(pattern, pattern.tasks // arguments.rounds))
                console.print(f"round {number + 1}: {pattern.title}: {pattern.rates[-1]:,.0f} tasks/s")
    _show(console, arguments.tasks)


class Bench:
    """Runs rounds on servers and workers that are up."""

    def __init__(self, server: Valkey, connection: psycopg.Connection, sender: "Celery[Any]") -> None:
        self._server, self._connection, self._sender = server, connection, sender

    def round(self, pattern: Pattern, tasks: int) -> float:
        """Queue tasks, let them run; gives tasks per second, and notes the highest number of connections."""
        self._connection.execute("TRUNCATE visit")
        with self._sender.producer_pool.acquire() as producer, self._server.client() as redis:
            for number in range(tasks):
                payload = {"number": number}
                self._sender.send_task(TASK, kwargs=payload, queue=PREPARED, producer=producer, ignore_result=True)
            began = time.perf_counter()
            redis.rename(PREPARED, pattern.name)  # type: ignore[no-untyped-call]
        while (done := self._look(pattern)) < tasks:
            if time.perf_counter() - began > PATIENCE:
                raise TimeoutError(f"{pattern.title}: {done} of {tasks} tasks in {PATIENCE} s; see the worker's log")
            time.sleep(LOOK_SECONDS)
        return tasks / (time.perf_counter() - began)

    def _look(self, pattern: Pattern) -> int:
        row = self._connection.execute(LOOK, (pattern.name,)).fetchone()
        done, connections = row or (0, 0)
        pattern.connections = max(pattern.connections, connections)
        return int(done)


@contextmanager
def _everything(folder: Path) -> Iterator[Bench]:
    with ExitStack() as stack:
        server = stack.enter_context(Valkey(folder / "valkey"))
        database = stack.enter_context(stack.enter_context(Postgres(folder / "postgres")).new_database())
        connection = stack.enter_context(database.connect())
        connection.execute(TABLES)
        for pattern in PATTERNS:
            stack.enter_context(_worker(server, database, pattern, folder))
        sender: Celery[Any] = stack.enter_context(Celery("sender", broker=server.url))
        yield Bench(server, connection, sender)


def _worker(server: Valkey, database: Database, pattern: Pattern, folder: Path) -> WorkerProcess:
    own = folder / pattern.name
    own.mkdir()
    settings = {
        "BENCH_PATTERN": pattern.name,
        "BENCH_POOL_SIZE": str(POOL_SIZE),
        "DATABASE_URL": database.url,
        "LOG_LEVEL": "WARNING",
    }
    arguments = (*WORKER, "--concurrency", str(PROCESSES), "--hostname", f"{pattern.name}@%h")
    return WorkerProcess(server, SOURCE, "bench_app", folder=own, arguments=arguments, settings=settings)


def _show(console: Console, wanted: int) -> None:
    slow = statistics.median(PATTERNS[-1].rates)
    limit = PROCESSES * POOL_SIZE
    columns = [Column(title, justify="right") for title in ("tasks", "tasks/s", "ratio", "connections")]
    table = Table(
        "pattern", *columns, title=f"Database tasks, medians of {len(PATTERNS[0].rates)} rounds, {PROCESSES} processes"
    )
    for pattern in PATTERNS:
        rate = statistics.median(pattern.rates)
        cells = (f"{pattern.tasks:,}", f"{rate:,.0f}", f"{rate / slow:.1f}", str(pattern.connections))
        table.add_row(pattern.title, *cells)
    console.print(table)
    console.print(f"connections: the most seen at a time; the limit of a pool is {PROCESSES} x {POOL_SIZE} = {limit}")
    for pattern in PATTERNS:
        if pattern.tasks < wanted:
            console.print(f"{pattern.title} got fewer tasks: {wanted:,} would take over {MOST_SECONDS:.0f} s")
    exceeded = [pattern.title for pattern in PATTERNS[:-1] if pattern.connections > limit]
    if exceeded:
        raise SystemExit(f"more connections than {limit}: {', '.join(exceeded)}")


if __name__ == "__main__":
    main()
