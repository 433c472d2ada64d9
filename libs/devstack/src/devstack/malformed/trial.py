"""A worker on trial: a real one that is sent messages, and what can be seen of its health from outside."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import psutil

from devstack.malformed.ledger import Ledger
from devstack.malformed.message import NOTE, QUEUE
from devstack.valkey import Valkey
from devstack.waiting import wait_for
from devstack.worker import WORKER, WorkerProcess
from taskclient.message import build_message

POOLS = {"prefork": ("--pool", "prefork"), "solo": ("--pool", "solo")}
CHANNEL = "the channel of remote control"  # in place of a queue: what is sent there is lost by its nature
_PIDBOX = "/0.celery.pidbox"  # the Redis channel on which workers hear `celery inspect` and its like
SLOTS = {"prefork": 2, "solo": 1}
_LOST = ("Connection to broker lost", "connection to broker lost", "Cannot connect to", "Unrecoverable error")


class Trial:
    """One worker of `devstack.malformed.target`, on a server of its own.

    Args:
        folder: gets the server's data and the worker's log.
        pool: "prefork" (two processes) or "solo".
    """

    def __init__(self, folder: Path, pool: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.pool = pool
        self.server = Valkey(folder / "valkey")
        self.record = folder / "record.jsonl"
        settings = {"TARGET_RECORD": str(self.record), "LOG_FORMAT": "json"}
        arguments = (*WORKER, *POOLS[pool])
        self.worker = WorkerProcess(
            self.server, folder, "devstack.malformed.target", folder=folder, arguments=arguments, settings=settings
        )

    def __enter__(self) -> Self:
        self.server.start()
        try:
            self.server.wait_ready()
            self.broker = self.server.client()
            self.ledger = Ledger(self.broker, self.record)
            self.start_worker()
        except BaseException:
            self.worker.kill()
            self.server.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.worker.stop()
        self.broker.close()
        self.server.stop()

    def start_worker(self) -> None:
        """Start the worker and remember who it is."""
        self.worker.health.unlink(missing_ok=True)  # that of a killed worker says ready for a while
        self.worker.start()
        self.worker.wait_ready(60)
        self._log_start = self.worker.log.stat().st_size
        wait_for(lambda: bool(self.ledger.holders()), 60)
        self._holders = self.ledger.holders()

    def begin_again(self) -> None:
        """An empty server and a new worker."""
        self.worker.kill()
        self.broker.flushall()
        self.record.unlink(missing_ok=True)
        self.ledger = Ledger(self.broker, self.record)
        self.start_worker()

    def push(self, raws: Sequence[bytes], queue: str = QUEUE) -> None:
        """Put messages into a queue, in few calls; those for CHANNEL are published."""
        if queue == CHANNEL:
            for raw in raws:
                self.broker.publish(_PIDBOX, raw)
            return
        for start in range(0, len(raws), 200):
            self.broker.lpush(queue, *raws[start : start + 200])

    def push_good(self, count: int = 1) -> list[str]:
        """Put good messages into the queue; gives their task ids."""
        ids = [str(uuid4()) for _ in range(count)]
        self.push([good(task_id) for task_id in ids])
        return ids

    def answers(self, seconds: float = 20.0) -> bool:
        """Say whether good tasks, sent now, run within so many seconds, in all slots of the pool at once."""
        place, slots = str(uuid4()), SLOTS[self.pool]
        ids = [str(uuid4()) for _ in range(slots)]
        for who, task_id in enumerate(ids):
            payload = {"place": place, "who": who, "count": slots}
            self.push([build_message("app.tasks.target.meet", payload, queue=QUEUE, task_id=task_id)])
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.worker.alive():
            if all((self.folder / f"{place}.{who}.met").exists() for who in range(slots)):
                return True
            time.sleep(0.01)
        return False

    def has_run(self, ids: Sequence[str], seconds: float) -> bool:
        """Say whether these tasks start within so many seconds; False at once if the worker ends."""
        deadline = time.monotonic() + seconds
        while not set(ids) <= self.ledger.started():
            if time.monotonic() > deadline or not self.worker.alive():
                return False
            time.sleep(0.02)
        return True

    def settles(self, seconds: float) -> bool:
        """Wait until no message waits or is being worked on; False if that takes longer."""
        deadline = time.monotonic() + seconds
        while not self.ledger.settled():
            if time.monotonic() > deadline or not self.worker.alive():
                return False
            time.sleep(0.05)
        return True

    def wounds(self) -> list[str]:
        """What has happened to the worker since its start that no message may cause."""
        if not self.worker.alive():
            return [f"the worker exited with {self.worker.exit_code()}"]
        found = [] if self.worker.is_live() else ["the worker is not live"]
        lines = self.log()
        found += [line for line in lines if any(text in line for text in _LOST)]
        if self.ledger.holders() != self._holders:
            found.append(f"the holders were {self._holders!r} and are {self.ledger.holders()!r}")
        return found

    def log(self) -> list[str]:
        """The worker's log since its start."""
        with self.worker.log.open("rb") as file:
            file.seek(self._log_start)
            return file.read().decode(errors="replace").splitlines()

    def peak_mib(self) -> float:
        """The most memory that the worker's main process has had, in MiB."""
        status = Path(f"/proc/{self.worker.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024

    def pool_processes(self) -> set[int]:
        """The ids of the pool's processes."""
        children: list[Any] = psutil.Process(self.worker.pid).children()
        return {child.pid for child in children}


def good(task_id: str) -> bytes:
    """A good message with this id."""
    return build_message(NOTE, {"token": task_id}, queue=QUEUE, task_id=task_id)
