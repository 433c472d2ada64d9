"""Faults that come from others: a second service, a second queue, a second beat, another clock."""

import itertools
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

from chaos.scenario import scenario, visibility
from chaos.subjects import Side
from chaos.worker.bodies import name_of
from devstack.process import ManagedProcess
from devstack.services import ROOT

_HOUR = 3600


@scenario(
    "two-services",
    "two services on one Redis, the other one with a short lease; 4 tasks of 20 s run, 6 are due in 25 s",
    seconds=80,
    plain_words="stock settings beside a service with visibility timeout 5 s",
)
def two_services(side: Side) -> None:
    """Row 18."""
    side.recovery_counts = False
    side.worker("ours", concurrency=4)
    other = {"CHAOS_SERVICE": "other", "CHAOS_QUEUE": "other", "TASK_LEASE_SECONDS": "5"}
    side.worker("other", env=other, plain=visibility(5), queues="other")
    side.send("sleep", 4, seconds=20)
    side.send("noop", 6, countdown=25)
    side.pause(26)
    side.settle()


@scenario("two-queues", "3,000 tasks of 20 ms wait in one queue when an urgent one comes to the other", seconds=90)
def two_queues(side: Side) -> None:
    """Row 12; what counts is how long the urgent ones wait."""
    side.worker()
    side.send("sleep", 1500, seconds=0.02)
    side.wait(lambda: len(side.ledger.starts) > 50)  # noqa: PLR2004
    waits = []
    for _ in range(5):
        began = time.monotonic()
        urgent = side.send("noop", queue="urgent")
        if side.wait_started(urgent, 20):
            waits.append(side.ledger.starts[urgent[0]][0] - began)
        side.pause(0.5)
    side.recovery = max(waits, default=None)
    side.notes.append(f"urgent tasks waited {', '.join(f'{wait:.2f}' for wait in waits)} s")
    side.settle()


@scenario(
    "two-beats",
    "two beats with a tick each second for 50 s, one gets kill -9 in the middle",
    seconds=75,
    plain_words="PersistentScheduler, one file each",
)
def two_beats(side: Side) -> None:
    """Row 13a: ticks have no ids that anybody knows, so they are counted by their times."""
    side.worker(env={"CHAOS_TICKS": "1"})
    beats = [_beat(side, number) for number in (1, 2)]
    for beat in beats:
        side.own(beat)
    side.wait(lambda: len(side.ledger.starts) > 3, 20)  # noqa: PLR2004
    began = time.monotonic()
    side.pause(15)
    side.fault()
    beats[0].kill()
    side.pause(35)
    for beat in beats:
        beat.kill()
    side.pause(1)
    side.ledger.read()
    _count_ticks(side, began)


def _beat(side: Side, number: int) -> ManagedProcess:
    folder = side.folder / f"beat-{number}"
    folder.mkdir()
    env = {**side.environment(), "HEALTH_FILE": str(folder / "health")}
    log = folder / "beat.log"
    if side.is_template:
        argv = [sys.executable, "-m", "celery", "-A", "app.celery_app", "beat"]
        return ManagedProcess("beat", argv, log=log, cwd=ROOT / "services/beat", env=env)
    tick = {"task": name_of("tick"), "schedule": 1.0, "options": {"queue": "chaos"}}
    env["CHAOS_PLAIN_SETTINGS"] = json.dumps({"beat_schedule": {"tick": tick}})
    argv = [sys.executable, "-m", "celery", "-A", "chaos.worker.plain", "beat"]
    return ManagedProcess("beat", argv, log=log, cwd=folder, env=env)


def _count_ticks(side: Side, began: float) -> None:
    times = sorted(at for starts in side.ledger.starts.values() for at in starts if at > began)
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    doubled = sum(gap < 0.4 for gap in gaps)  # noqa: PLR2004 - half a tick apart is no tick of its own
    side.sent = list(side.ledger.starts)
    side.recovery = next((at - side.faulted for at in times if at > side.faulted), None)
    side.notes.append(
        f"{len(times)} ticks in 50 s, {doubled} of them doubled, the longest gap {max(gaps, default=0):.1f} s"
    )
    if doubled:
        side.problems.append(f"{doubled} ticks doubled")


def _clock(side: Side, hours: int) -> None:
    side.recovery_counts = False
    library = _clock_library(side.folder)
    if library is None:
        side.notes.append("not run: shifting the clock of one process needs a C compiler")
        return
    jump = int(time.monotonic()) + 14
    env = {"LD_PRELOAD": str(library), "CHAOS_CLOCK_AT": str(jump), "CHAOS_CLOCK_SHIFT": str(hours * _HOUR)}
    side.worker("shifted", env=env)
    side.worker("true")
    side.send("sleep", 3, seconds=12)
    began = time.monotonic()
    side.send("noop", 6, countdown=20)
    side.pause(max(0.0, jump + 2 - time.monotonic()))
    side.send("sleep", 20, seconds=0.1)
    side.settle()
    firsts = [min(starts) - began for task_id, starts in side.ledger.starts.items() if task_id in side.sent[3:9]]
    if firsts:
        side.notes.append(f"tasks due in 20 s started after {min(firsts):.1f} to {max(firsts):.1f} s")


def _clock_library(folder: Path) -> Path | None:
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    library = folder / "clock.so"
    source = Path(__file__).parent / "worker/clock.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"], check=True)
    return library


@scenario(
    "clock-ahead", "the clock of one of two workers jumps an hour ahead; 29 tasks, 6 of them due in 20 s", seconds=75
)
def clock_ahead(side: Side) -> None:
    """A machine whose clock is set while it works."""
    _clock(side, 1)


@scenario(
    "clock-back", "the clock of one of two workers jumps an hour back; 29 tasks, 6 of them due in 20 s", seconds=75
)
def clock_back(side: Side) -> None:
    """The same in the other direction."""
    _clock(side, -1)
