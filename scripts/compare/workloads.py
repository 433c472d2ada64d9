"""What is measured of each subject, and how much of it."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["enqueue", "boot", "idle", "latency", "drain", "half-load", "mixed", "kill"]
Variant = Literal["", "results", "database", "six", "kill"]


@dataclass(frozen=True)
class Workload:
    """One measurement.

    Args:
        name: for `--only`.
        title: for tables.
        kind: how it is measured.
        body: which task.
        share: how many tasks, as a share of `--tasks`.
        variant: another form of the worker.
        once: whose figures come from the first round alone; "others": of all subjects but the main ones.
        note: what a reader of its table must know.
    """

    name: str
    title: str
    kind: Kind
    body: str = "noop"
    share: float = 1.0
    variant: Variant = ""
    once: Literal["none", "others", "all"] = "none"
    note: str = ""


PARTS = 4  # of the workload "mixed"
SIX = 6  # workers of the workload "six"

# In the order in which they are measured: those of one variant share a worker.
WORKLOADS = (
    Workload("enqueue", "Enqueue, no worker running", "enqueue", share=0.2),
    Workload("boot", "From the start of the worker to the end of its first task", "boot"),
    Workload("idle", "An idle worker", "idle", once="others"),
    Workload("latency", "From `send` to the first line of the task, at 50 a second", "latency"),
    Workload("noop", "Tasks that do nothing", "drain"),
    Workload("io", "Tasks that wait 10 ms", "drain", body="wait"),
    Workload("cpu", "Tasks that use 1 ms of a processor", "drain", body="compute", share=0.5, once="others"),
    Workload("payload", "Tasks with a payload of 64 KiB", "drain", body="take", share=0.1, once="others"),
    Workload(
        "half-load",
        "From `send` to the first line of the task, at half of what the subject can do",
        "half-load",
        once="others",
        note="The rate is half of that of its own tasks that do nothing, measured just before; or as fast as one "
        "producer sends while the worker runs, if that is less. The table says how many a second were sent.",
    ),
    Workload(
        "mixed",
        "Short tasks in one queue with long ones",
        "mixed",
        share=0.2,
        once="others",
        note=f"{PARTS} times: a task that sleeps for 2 s, a fifth of the short ones before it and the rest behind. One "
        "of two processes is busy with the long task, and the other is free for all short ones: one that waits for "
        "2 s was held back by the process with the long one. Among threads or coroutines a long one takes one place of "
        "many. The wait begins when the worker goes on, with all tasks in the queue.",
    ),
    Workload(
        "results",
        "Tasks that do nothing and whose results are kept",
        "drain",
        body="answer",
        variant="results",
        once="others",
    ),
    Workload(
        "database",
        "Tasks with one select by key and one insert in PostgreSQL",
        "drain",
        body="visit",
        variant="database",
        share=0.5,
        note="The template's tasks use `get_sync_db()`, and `get_task_session()` in coroutines. `celery` makes an "
        "engine for each task and disposes of it, `celery-engine` keeps one for each process. The other systems are "
        "left out, because their environments have no SQLAlchemy.",
    ),
    Workload(
        "six",
        "Six workers together, each with one process, tasks that do nothing",
        "drain",
        variant="six",
        once="others",
        note="The subject's command six times, with 1 in place of 2; `template-threads` and `arq`, which have one "
        "process in any case, as they are. The rate is that of all six, on the same machine.",
    ),
    Workload(
        "kill",
        "SIGKILL to all processes of the worker, then a new start",
        "kill",
        body="work",
        variant="kill",
        once="all",
    ),
)


@dataclass(frozen=True)
class Extent:
    """How long all of it may take.

    Args:
        tasks: most tasks of a drain.
        seconds: a slow subject gets fewer tasks, as many as take about so long.
        idle_seconds: how long an idle worker is watched.
        latency_seconds: how long tasks are sent at an even rate.
        rounds: how often each subject has its turn.
    """

    tasks: int
    rounds: int
    seconds: float = 3.0
    idle_seconds: float = 4.0
    latency_seconds: float = 4.0


RATE = 50.0  # tasks a second, for latency
PILOT = 100  # tasks before each drain: they warm up, and say how many can be afforded
KILLED = 200  # tasks of the kill test
QUICK_SUBJECTS = ("template-prefork", "template-short", "template-async", "celery", "dramatiq")
QUICK_WORKLOADS = ("boot", "latency", "noop", "io")
QUICK = Extent(tasks=3000, rounds=1, seconds=2.0, latency_seconds=2.0)
