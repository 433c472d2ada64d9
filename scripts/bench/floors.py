"""Measures what the parts cost alone that a worker is made of: what is built on them cannot be faster.

A round trip to Redis, the wake-up of a process that waits for a list, Celery's tracer, Celery's pool of processes
without a broker, and the imports. Each is measured in turn, several times, with nothing of this template around it.
"""

import argparse
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import psutil
import redis
from celery import Celery
from celery.app.trace import build_tracer, setup_worker_optimizations
from celery.concurrency.asynpool import AsynPool
from kombu.asynchronous import Hub, set_event_loop
from rich.console import Console
from rich.table import Column, Table

from devstack.interrupts import end_on_signals
from devstack.valkey import Valkey

TRIPS, WAKE_UPS, TRACES, JOBS = 5000, 150, 20_000, 4000
MESSAGE = 700  # bytes
PAUSE = 0.02  # seconds between two wake-ups: 50 a second
IMPORTS = ("celery.apps.worker", "kombu.transport.redis", "celery.concurrency.prefork", "pydantic_settings")
_STARTED = f"import {', '.join(IMPORTS)}; import sys; print(); sys.stdout.flush(); sys.stdin.read()"


def main() -> None:
    """Measure all of it and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="of each measurement (default: 5)")
    parser.add_argument("part", nargs="?", choices=PARTS, help="only this one, in this process, for its figures alone")
    options = parser.parse_args()
    if options.part:
        print(json.dumps(PARTS[options.part]()), flush=True)
        return
    end_on_signals()
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder, Valkey(Path(folder) / "valkey") as server:
        for _ in range(options.rounds):
            for what, value in _round(server):
                found.setdefault(what, []).append(value)
    table = Table("alone", *(Column(title, justify="right") for title in ("median", "lowest", "highest")))
    for what, values in found.items():
        table.add_row(what, *(f"{value:,.4g}" for value in (statistics.median(values), min(values), max(values))))
    Console(width=None if sys.stdout.isatty() else 120).print(table)


def _round(server: Valkey) -> Iterator[tuple[str, float]]:
    with server.client() as client:
        yield "a round trip to Redis by redis-py, µs", _microseconds(client.ping, TRIPS)
        script = client.register_script("return redis.call('LPUSH', KEYS[1], ARGV[1])")
        append = lambda: script(["x"], ["y" * MESSAGE])  # noqa: E731
        yield "the same with a script that appends a message, µs", _microseconds(append, TRIPS)
        client.delete("x")
    median, high = _wake_ups(server)
    yield "from LPUSH to a process that waits in BLMOVE, p50, ms", median
    yield "the same, p99, ms", high
    (trace,) = _part("tracer")
    yield "Celery's tracer, µs a task", trace
    rate, cpu = _part("pool")
    yield "Celery's pool, two processes, fed by its event loop: jobs /s", rate
    yield "the same, µs of CPU a job, all processes", cpu
    seconds, memory = _imports()
    yield "Python with Celery, kombu, redis-py and pydantic imported: s", seconds
    yield "the same, MiB (PSS)", memory


def _microseconds(call: Callable[[], Any], times: int) -> float:
    began = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - began) / times * 1e6


def _wake_ups(server: Valkey) -> tuple[float, float]:
    """p50 and p99, in ms, of the time until another process has got what was appended to a list it waits for."""
    command = [sys.executable, __file__, "waiter"]
    environment = {**os.environ, "FLOORS_URL": server.url}
    with server.client() as client, subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as waiting:
        assert waiting.stdout is not None  # noqa: S101 - for the type checker
        waiting.stdout.readline()
        for _ in range(WAKE_UPS):
            client.lpush("woken", repr(time.time()))
            time.sleep(PAUSE)
        client.lpush("woken", "end")
        late = sorted(json.loads(waiting.stdout.readline()))
    return late[len(late) // 2] * 1e3, late[int(len(late) * 0.99)] * 1e3


def _part(name: str) -> list[float]:
    command = [sys.executable, __file__, name]
    figures: list[float] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return figures


def _imports() -> tuple[float, float]:
    began = time.perf_counter()
    with subprocess.Popen([sys.executable, "-c", _STARTED], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None  # noqa: S101 - for the type checker
        assert process.stdout is not None  # noqa: S101
        process.stdout.readline()
        seconds = time.perf_counter() - began
        memory = psutil.Process(process.pid).memory_full_info().pss / 2**20
        process.stdin.close()
    return seconds, memory


def _waiter() -> list[float]:
    """Seconds from each append to its arrival here."""
    client = redis.Redis.from_url(os.environ["FLOORS_URL"])
    late: list[float] = []
    print("ready", flush=True)
    while (text := client.blmove("woken", "taken", 5, "RIGHT", "LEFT")) not in (b"end", None):
        late.append(time.time() - float(text))
    return late


def _tracer() -> list[float]:
    """Microseconds of CPU a task that does nothing."""
    app = Celery(set_as_current=True)
    app.conf.task_ignore_result = True
    app.task(name="noop")(_nothing)
    setup_worker_optimizations(app, "floors")
    trace = build_tracer("noop", app.tasks["noop"], app.loader, "floors", app=app)
    request = {"id": "x", "task": "noop", "delivery_info": {}, "headers": {}, "retries": 0}
    began = time.process_time()
    for number in range(TRACES):
        trace("x", [number], {}, dict(request))
    return [(time.process_time() - began) / TRACES * 1e6]


def _nothing(number: int) -> int:
    return number


def _pool() -> list[float]:
    """Jobs a second, and microseconds of CPU a job; two at a time, as the worker has them."""
    hub = Hub()
    set_event_loop(hub)
    pool = AsynPool(processes=2, threads=False, synack=False)
    pool.register_with_event_loop(hub)
    sent, done = count(), 0

    def send(*results: Any) -> None:
        nonlocal done
        done += len(results)
        pool.apply_async(_nothing, (next(sent),), callback=send)

    send()
    send()
    while done < JOBS:  # until all is warm
        hub.run_once()
    began, before, warm = time.perf_counter(), _cpu(), done
    while done < 2 * JOBS:
        hub.run_once()
    figures = [(done - warm) / (time.perf_counter() - began), (_cpu() - before) / (done - warm) * 1e6]
    logging.disable()  # billiard tells of each process that it ends
    pool.terminate()
    return figures


def _cpu() -> float:
    family = [psutil.Process(), *psutil.Process().children()]
    return float(sum(sum(each.cpu_times()[:2]) for each in family))


PARTS: Mapping[str, Callable[[], list[float]]] = {"waiter": _waiter, "tracer": _tracer, "pool": _pool}

if __name__ == "__main__":
    main()
