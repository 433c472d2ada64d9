"""The subjects of a scenario, plain Celery and the template with each pool: own servers, workers and messages."""

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import redis
from celery import Celery
from kombu.exceptions import OperationalError

from chaos.ledger import Ledger
from chaos.scenario import Scenario
from chaos.servers import SafeValkey, StockValkey
from chaos.supervisor import Supervised, Worker
from chaos.traces import Whereabouts, whereabouts
from chaos.worker.bodies import name_of
from devstack.process import ManagedProcess
from devstack.valkey import Valkey
from taskclient.client import TaskClient
from taskclient.errors import TaskClientError

SCRIPTS = Path(__file__).resolve().parents[1]
QUEUES = "chaos,urgent"
_LOOK_SECONDS = 0.1
_MANY = 1000  # more than these are still at work, and too many to look for
Kind = Literal["plain", "template", "short-tasks", "coroutines"]
POOLS: dict[Kind, str] = {
    "short-tasks": "workerkit.short_tasks.pool:TaskPool",
    "coroutines": "workerkit.async_tasks.pool:AsyncPool",
}
_MODULES: dict[Kind, str] = {
    "plain": "plain",
    "template": "template",
    "short-tasks": "template",
    "coroutines": "coroutines",
}


class Stopping(Exception):
    """The run was interrupted."""


class Side:
    """One side of a scenario, from its first process to its last.

    Args:
        kind: which of them it is; "template" is the one with the pool prefork.
        scenario: what is done to it.
        folder: gets data and logs.
        ledger: the server that no fault touches.
        stopping: set when the whole run is to end.
    """

    def __init__(self, kind: Kind, scenario: Scenario, folder: Path, ledger: Valkey, stopping: threading.Event) -> None:
        self.kind, self.scenario, self.folder = kind, scenario, folder
        self.server = (StockValkey if kind == "plain" else SafeValkey)(folder / "valkey")
        self.ledger = Ledger(ledger, f"{scenario.name}:{kind}")
        self.sent: list[str] = []
        self.poison: set[str] = set()  # tasks that cannot run; they are to end as dead letters
        self.refused = 0  # sends that the caller was told about
        self.notes: list[str] = []
        self.problems: list[str] = []
        self.recovery: float | None = None  # seconds; None: it did not come back
        self.recovery_counts = True
        self.workers: list[Supervised] = []
        self.faulted = self.healed = 0.0
        self._began = time.monotonic()
        self._stopping = stopping
        self._owned: list[ManagedProcess] = []
        self.when_closed: list[Callable[[], None]] = []

    @property
    def is_template(self) -> bool:
        """Whether this side is the template."""
        return self.kind != "plain"

    def start_server(self) -> None:
        """Start this side's Redis."""
        self.own(self.server)

    def own(self, process: ManagedProcess) -> None:
        """Start a process and end it with this side."""
        self._owned.append(process)
        process.start()
        process.wait_ready()

    def close(self) -> None:
        """End all processes."""
        for worker in self.workers:
            worker.leave()
        for process in reversed(self._owned):
            process.kill()
            process.stop()
        self.server.forget()
        for call in self.when_closed:
            call()

    def freeze(self) -> None:
        """Stop all workers as they are, so that what is counted stands still."""
        for worker in self.workers:
            worker.freeze()

    # Workers

    def worker(self, name: str = "w1", *, wait: bool = True, **options: Any) -> Supervised:
        """Start a supervised worker; options as those of `worker_process`."""
        worker = Supervised(self.worker_process(name, **options))
        self.workers.append(worker)
        worker.start(wait=wait)
        return worker

    def worker_process(
        self,
        name: str,
        *,
        concurrency: int = 2,
        url: str | None = None,
        env: Mapping[str, str] | None = None,
        plain: Mapping[str, Any] | None = None,
        before: Sequence[str] = (),
        queues: str = QUEUES,
    ) -> Worker:
        """The process of a worker of this side, not started.

        Args:
            name: the node name's first part.
            concurrency: processes of its pool.
            url: of the broker; default: this side's server.
            env: more environment variables.
            plain: other settings for plain Celery than the scenario's.
            before: what stands before the command.
            queues: names for plain Celery; the template's follow from its routes.
        """
        own = self.folder / name
        own.mkdir(exist_ok=True)
        log, health = own / "worker.log", own / "health"
        variables = {
            **self.environment(url),
            "HEALTH_FILE": str(health),
            **({"CELERYCONFIG_WORKER_POOL": POOLS[self.kind]} if self.kind in POOLS else {}),
            "CHAOS_PLAIN_SETTINGS": json.dumps({**(self.scenario.plain if plain is None else plain)}),
            **(env or {}),
        }
        arguments = ["worker", "--concurrency", str(concurrency), "--hostname", f"{name}@%h", "--loglevel", "INFO"]
        more = ["--without-mingle", "--without-gossip"] if self.is_template else ["--queues", queues]
        argv = [*before, sys.executable, "-m", "celery", "-A", f"chaos.worker.{_MODULES[self.kind]}", *arguments, *more]
        return Worker(name, argv, log=log, folder=own, env=variables, health=health if self.is_template else None)

    def environment(self, url: str | None = None) -> dict[str, str]:
        """The environment variables of this side's processes."""
        lease = {"TASK_LEASE_SECONDS": str(self.scenario.lease)} if self.scenario.lease else {}
        return {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(SCRIPTS), os.environ.get("PYTHONPATH", "")]),
            "TASK_BROKER_URL": url or self.server.url,
            "CHAOS_LEDGER_URL": self.ledger.server.url,
            "CHAOS_LEDGER_KEY": self.ledger.key,
            **lease,
        }

    # Messages

    def send(
        self, body: str, count: int = 1, *, countdown: float | None = None, queue: str = "chaos", **payload: Any
    ) -> list[str]:
        """Send tasks as a caller of this side does: by taskclient, or by plain Celery.

        Returns:
            The ids of those that were accepted.
        """
        ids = [str(uuid4()) for _ in range(count)]
        send = self._send_by_client if self.is_template else self._send_by_celery
        accepted = send(name_of(body), ids, {"countdown": countdown, "queue": queue}, payload)
        self.sent += accepted
        self.refused += count - len(accepted)
        return accepted

    def _send_by_client(self, name: str, ids: list[str], options: dict[str, Any], payload: dict[str, Any]) -> list[str]:
        accepted = []
        with TaskClient(self.server.url, check=False) as client:  # the worker's answer counts, as with plain Celery
            for task_id in ids:
                try:
                    client.send_payload(name, payload, task_id=task_id, **options)
                except TaskClientError:
                    continue
                accepted.append(task_id)
        return accepted

    def _send_by_celery(self, name: str, ids: list[str], options: dict[str, Any], payload: dict[str, Any]) -> list[str]:
        accepted = []
        app: Celery[Any] = Celery("producer", broker=self.server.url, set_as_current=False)
        with app, app.producer_or_acquire() as producer:
            for task_id in ids:
                try:
                    app.send_task(name, kwargs=payload, task_id=task_id, producer=producer, **options)
                except (OperationalError, redis.RedisError, OSError):
                    continue
                accepted.append(task_id)
        return accepted

    # Time

    def left(self) -> float:
        """Seconds until this side's bound."""
        return self._began + self.scenario.seconds - time.monotonic()

    def pause(self, seconds: float) -> None:
        """Wait, but not longer than until the bound."""
        if self._stopping.wait(max(0.0, min(seconds, self.left()))):
            raise Stopping

    def wait(self, condition: Callable[[], bool], seconds: float = 60.0) -> bool:
        """Wait until a condition is true, at most until the bound; says whether it is."""
        ends = time.monotonic() + min(seconds, max(0.0, self.left()))
        while True:
            self.ledger.read()
            if condition():
                return True
            if time.monotonic() >= ends:
                return False
            if self._stopping.wait(_LOOK_SECONDS):
                raise Stopping

    def wait_started(self, ids: Sequence[str], seconds: float = 60.0) -> bool:
        """Wait until all of these tasks have started."""
        return self.wait(lambda: all(task_id in self.ledger.starts for task_id in ids), seconds)

    def fault(self) -> None:
        """Say that the fault begins now."""
        self.ledger.read()
        self.faulted = self.healed = time.monotonic()

    def heal(self) -> None:
        """Say that the fault is over."""
        self.healed = time.monotonic()

    # What came of it

    def whereabouts(self) -> Whereabouts:
        """Which messages this side's Redis still holds."""
        return whereabouts(self.server)

    def settle(self, seconds: float | None = None) -> None:
        """Wait until each task has run or is a dead letter and no message waits, at most until the bound."""
        ends = time.monotonic() + (self.left() if seconds is None else seconds)
        seen = -1
        while time.monotonic() < ends and self.left() > 0:
            self.pause(1.0)
            self.ledger.read()
            moved, seen = seen != self.ledger.read_so_far, self.ledger.read_so_far
            if not moved and self._is_settled():
                break

    def _is_settled(self) -> bool:
        missing = {task_id for task_id in self.sent if task_id not in self.ledger.ends}
        if len(missing) > _MANY or self.ledger.running() - missing:
            return False
        kept = self.whereabouts()
        return missing <= kept.dead and not kept.waiting

    def probe(self, seconds: float = 40.0) -> None:
        """Measure recovery: the time from the end of the fault until a task that is sent now starts."""
        probes = self.send("noop")
        self.recovery = None
        if probes and self.wait_started(probes, seconds):
            self.recovery = self.ledger.starts[probes[0]][0] - self.healed

    def measure_held(self) -> None:
        """Measure recovery: the time from the fault until the last task that was running then ran again or ended."""
        back = []
        for task_id, starts in self.ledger.starts.items():
            ends = self.ledger.ends[task_id]
            before = [at for at in starts if at < self.faulted]
            if before and not any(at < self.faulted for at in ends):
                back.append(min([at for at in (*starts, *ends) if at > self.faulted], default=None))
        self.recovery = None if not back or None in back else max(at for at in back if at) - self.faulted
