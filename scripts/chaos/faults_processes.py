"""Faults of processes: kill -9 of a pool process, of a worker, at full speed, before the acknowledgement; SIGTERM."""

import os
import signal
import time

from chaos.database import Effects
from chaos.scenario import LATE_ACK, scenario, visibility
from chaos.subjects import Side

_KILLS, _TASKS = 30, 3_000
_REST_SECONDS = 90  # of the bound, for what the kills have left


@scenario("child-kill", "kill -9 of a pool process; 10 tasks of 1 s", seconds=60)
def child_kill(side: Side) -> None:
    """Row 1a."""
    worker = side.worker()
    ids = side.send("sleep", 10, seconds=1)
    side.wait_started(ids[:2])
    side.fault()
    worker.kill_child()
    side.settle()
    side.measure_held()


@scenario("worker-kill", "kill -9 of a whole worker; 30 tasks of 0.5 s", seconds=60)
def worker_kill(side: Side) -> None:
    """Row 2a."""
    worker = side.worker()
    ids = side.send("sleep", 30, seconds=0.5)
    side.wait_started(ids[:6])
    side.fault()
    worker.kill()
    side.settle()
    side.measure_held()


@scenario(
    "kills-at-speed", "30 x kill -9 of one of two workers at full speed; 3,000 tasks that write a row", seconds=240
)
def kills_at_speed(side: Side) -> None:
    """Row 2f: each kill comes when another part of the tasks has begun."""
    side.recovery_counts = False
    effects = Effects(side)
    side.send("insert", _TASKS, seconds=0)
    workers = [side.worker(name, env=effects.env, wait=False) for name in ("w1", "w2")]
    kills = 0
    for number in range(_KILLS):
        goal = (number + 1) * _TASKS // (_KILLS + 1)
        side.wait(lambda goal=goal: len(side.ledger.starts) >= goal, 30)  # type: ignore[misc]
        workers[number % 2].wait_ready(30)
        if side.left() < _REST_SECONDS:
            break
        workers[number % 2].kill()
        kills += 1
    side.notes.append(f"{kills} kills")
    side.settle()
    effects.count()


@scenario(
    "kill-before-ack",
    "kill -9 of a worker whose tasks have ended and are not yet acknowledged; 4 rounds of 2 tasks",
    seconds=100,
    plain=LATE_ACK | visibility(10),
    plain_words="late acknowledgement, visibility timeout 10 s",
)
def kill_before_ack(side: Side) -> None:
    """Row 2g, made certain: the main process is stopped while its pool finishes."""
    side.recovery_counts = False
    worker = side.worker()
    for _ in range(4):
        ids = side.send("sleep_once", 2, seconds=1)
        side.wait_started(ids, 30)
        os.kill(worker.process.pid, signal.SIGSTOP)
        side.wait(lambda ids=ids: all(side.ledger.ends.get(each) for each in ids), 10)  # type: ignore[misc]
        time.sleep(0.2)  # until the pool has written its results
        worker.kill()
        side.pause(1.0)
        worker.wait_ready(20)
    side.settle()


@scenario("sigterm-long", "SIGTERM, then SIGKILL after 10 s; 2 tasks of 20 s", seconds=90)
def sigterm_long(side: Side) -> None:
    """Row 3a."""
    worker = side.worker()
    ids = side.send("sleep", 2, seconds=20)
    side.wait_started(ids)
    side.fault()
    worker.terminate(grace=10)
    side.settle()
    side.measure_held()


@scenario("sigterm-eta", "SIGTERM, then SIGKILL after 30 s; 10 tasks due in 15 s and 2 that run 40 s", seconds=120)
def sigterm_eta(side: Side) -> None:
    """Row 3e."""
    side.recovery_counts = False
    worker = side.worker()
    side.send("noop", 10, countdown=15)
    side.wait_started(side.send("sleep", 2, seconds=40))
    side.pause(1)
    began = time.monotonic()
    worker.terminate(grace=30)
    side.notes.append(f"the worker ended after {time.monotonic() - began:.1f} s")
    side.settle()


@scenario(
    "out-of-memory",
    "one task takes memory until the kernel kills its process; 8 neighbours",
    seconds=75,
    lease=5,
    plain=LATE_ACK | visibility(10),
    plain_words="late acknowledgement, visibility timeout 10 s",
    may_exit=True,
)
def out_of_memory(side: Side) -> None:
    """Row 6a by the kernel's own hand, in a memory cgroup where one can be made."""
    side.recovery_counts = False
    group = _memory_group(side, 400 * 2**20)
    before = ["sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "sh"] if group else []
    if group:
        side.when_closed.append(lambda: _remove(group))
    else:
        side.notes.append("no memory cgroup can be made here: the task kills its process when it has taken 2 GiB")
    side.worker(before=before)
    side.poison.update(side.send("use_up_memory"))
    side.send("sleep", 8, seconds=0.5)
    side.settle()
    hogged = side.ledger.starts[next(iter(side.poison))]
    side.notes.append(f"the task began {len(hogged)} times within {side.scenario.seconds:.0f} s")
    if group:
        side.notes.append(f"killed by the kernel in a memory cgroup of 400 MiB: {_kills(group)}")


def _memory_group(side: Side, limit: int) -> str | None:
    """A new cgroup with a limit, of version 1 or 2; None where we may not make one."""
    for root, file in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")):
        group = f"{root}/chaos-{os.getpid()}-{side.kind}"
        try:
            os.mkdir(group)  # noqa: PTH102 - a control file system, not a folder
            with open(f"{group}/{file}", "w") as control:  # noqa: PTH123
                control.write(str(limit))
        except OSError:
            _remove(group)
        else:
            return group
    return None


def _kills(group: str) -> str:
    for file in ("memory.oom_control", "memory.events"):
        try:
            with open(f"{group}/{file}") as control:  # noqa: PTH123
                return next(line for line in control.read().splitlines() if line.startswith("oom_kill "))
        except OSError:
            continue
    return "unknown"


def _remove(group: str) -> None:
    for _ in range(20):
        try:
            os.rmdir(group)  # noqa: PTH106
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.1)
        else:
            return
