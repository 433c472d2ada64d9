"""Kills a worker in the middle of its tasks, starts it again, and looks for every task that was sent."""

import re
import time
from typing import Any

from compare.figures import Killed
from compare.records import Records, Stalled
from compare.systems.bodies import LONG_SECONDS
from compare.worker import Sender, Worker
from compare.workloads import KILLED
from devstack.valkey import Valkey
from taskclient.connection import RedisClient

_MARK = re.compile(rb"mark-(\d+)\.")
_DATABASES = (0, 1)  # queues, and the template's results
BEGUN = KILLED // 10  # so many have begun when the kill comes
_QUIET_SECONDS = 20.0  # above what any system needs, as it is set here, to give back what a dead worker held


def measure(worker: Worker, sender: Sender, server: Valkey, records: Records) -> Killed:
    """Send tasks that run for 0.1 s, kill the worker when the first ones have ended, start it again, wait for the rest.

    Raises:
        Stalled: no task began.
    """
    sender.send("work", KILLED)
    try:
        worker.start()
        records.wait(BEGUN, worker.alive, stall=60)
        time.sleep(LONG_SECONDS / 2)  # in the middle of tasks, also where all begin at the same moment
        worker.kill()
        killed = time.monotonic()
        worker.stop(0)  # what the kill has missed
        worker.start()
        _wait_for_the_rest(worker, records)
        return _count(server, records, killed)
    finally:
        worker.kill()
        worker.stop(0)


def _wait_for_the_rest(worker: Worker, records: Records) -> None:
    while len(records.ends()) < KILLED:
        try:
            records.wait(records.count() + 1, worker.alive, stall=_QUIET_SECONDS)
        except Stalled:
            return
    time.sleep(1.0)  # so that one which runs again is seen


def _count(server: Valkey, records: Records, killed: float) -> Killed:
    starts, ends = records.starts(), records.ends()
    missing = set(range(KILLED)) - ends.keys()
    kept = missing & left(server)
    return Killed(
        sent=KILLED,
        run=len(ends),
        begun_twice=sum(times > 1 for times in starts.values()),
        run_twice=sum(times > 1 for times in ends.values()),
        kept=len(kept),
        lost=len(missing - kept),
        back=_back(records, killed),
    )


def _back(records: Records, killed: float) -> float:
    before = [number for number, at in records.read() if at < killed]
    interrupted = {-1 - number for number in before if number < 0} - {number for number in before if number >= 0}
    again = [at for number, at in records.read() if at > killed and -1 - number in interrupted]
    return max(again) - killed if again else 0.0


def left(server: Valkey) -> set[int]:
    """The numbers of all tasks of which Redis holds a message, wherever it is."""
    found: set[int] = set()
    for database in _DATABASES:
        with server.client(database) as client:
            for key in client.scan_iter(count=1000):
                found.update(int(number) for number in _MARK.findall(key + _content(client, key)))
    return found


def _content(client: RedisClient, key: bytes) -> bytes:
    match client.type(key):  # type: ignore[no-untyped-call]
        case b"string":
            value: Any = client.get(key)
        case b"list":
            value = client.lrange(key, 0, -1)
        case b"hash":
            value = client.hgetall(key)
        case b"set":
            value = client.smembers(key)
        case b"zset":
            value = client.zrange(key, 0, -1)
        case b"stream":
            value = client.xrange(key)
        case _:
            value = b""
    return repr(value).encode()
