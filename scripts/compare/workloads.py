"""What is measured of each subject, and how much of it."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["enqueue", "boot", "idle", "latency", "drain", "kill"]
Variant = Literal["", "results", "kill"]


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
    """

    name: str
    title: str
    kind: Kind
    body: str = "noop"
    share: float = 1.0
    variant: Variant = ""


# In the order in which they are measured: those of one variant share a worker.
WORKLOADS = (
    Workload("enqueue", "Enqueue, no worker running", "enqueue", share=0.2),
    Workload("boot", "From the start of the worker to the end of its first task", "boot"),
    Workload("idle", "An idle worker", "idle"),
    Workload("latency", "From `send` to the first line of the task, at 50 a second", "latency"),
    Workload("noop", "Tasks that do nothing", "drain"),
    Workload("io", "Tasks that wait 10 ms", "drain", body="wait"),
    Workload("cpu", "Tasks that use 1 ms of a processor", "drain", body="compute", share=0.5),
    Workload("payload", "Tasks with a payload of 64 KiB", "drain", body="take", share=0.1),
    Workload("results", "Tasks that do nothing and whose results are kept", "drain", body="answer", variant="results"),
    Workload("kill", "SIGKILL to all processes of the worker, then a new start", "kill", body="work", variant="kill"),
)


@dataclass(frozen=True)
class Extent:
    """How long all of it may take.

    Args:
        tasks: most tasks of a drain.
        seconds: a slow subject gets fewer tasks, as many as take about so long.
        idle_seconds: how long an idle worker is watched.
        latency_seconds: how long tasks are sent at 50 a second.
        rounds: how often each subject has its turn.
    """

    tasks: int
    rounds: int
    seconds: float = 5.0
    idle_seconds: float = 5.0
    latency_seconds: float = 6.0


RATE = 50.0  # tasks a second, for latency
PILOT = 100  # tasks before each drain: they warm up, and say how many can be afforded
KILLED = 200  # tasks of the kill test
QUICK_SUBJECTS = ("template-prefork", "template-short", "celery", "dramatiq")
QUICK_WORKLOADS = ("boot", "latency", "noop", "io")
QUICK = Extent(tasks=3000, rounds=1, seconds=2.0, latency_seconds=2.0)
