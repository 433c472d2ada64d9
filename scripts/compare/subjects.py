"""What is measured: each system with the command that starts its worker, for two cores."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from compare.workloads import Workload
from devstack.services import ROOT

TASKS = "compare.systems"
BASELINE = "celery"
_CELERY = ("celery", "-A", f"{TASKS}.celery_tasks", "worker")
_TWO = ("--concurrency", "{processes}")
_APART = "--hostname={number}@%h"


@dataclass(frozen=True)
class Subject:
    """One system in one form.

    Args:
        name: for `--only`.
        title: for tables.
        module: with its tasks and its way to send them, in `compare.systems`.
        command: program and arguments of its worker.
        environment: the folder below .venv/share with its packages; none for those of this repository.
        variables: more environment variables.
        soon: how the kill test has it give back sooner what a dead worker held, and its own setting.
        packages: whose versions are shown.
        processes: of its worker; "{processes}" in the command.
        apart: one more argument where several of its workers run on one machine; "{number}" is which of them.
        main: it has all workloads in all rounds.
        workloads: the only ones that it is for, by name; empty: all, but with the database only if it is a main one.
        heard: somebody listens to its worker's events, as Flower does.
    """

    name: str
    title: str
    module: str
    command: tuple[str, ...]
    environment: str = "bench"
    variables: Mapping[str, str] = field(default_factory=dict)
    soon: str = ""
    packages: tuple[str, ...] = ()
    processes: int = 2
    apart: str = ""
    main: bool = False
    workloads: tuple[str, ...] = ()
    heard: bool = False

    @property
    def programs(self) -> Path:
        """The folder with its Python and its commands."""
        return ROOT / ".venv" / (f"share/{self.environment}/bin" if self.environment else "bin")

    def words(self) -> list[str]:
        """The worker's command, as its users write it."""
        return [part.format(processes=self.processes) for part in self.command]

    def argv(self, number: int | None = None) -> list[str]:
        """The worker's command, with the place of its program.

        Args:
            number: which of several workers; None if there is one.
        """
        program, *arguments = self.words()
        apart = [self.apart.format(number=number)] if self.apart and number is not None else []
        return [str(self.programs / program), *arguments, *apart]

    def with_processes(self, processes: int) -> Self:
        """The same, but for the number of processes."""
        return replace(self, processes=processes)

    def has(self, workload: Workload, *, first_round: bool) -> bool:
        """Whether a workload is measured in one of its turns."""
        if self.workloads and workload.name not in self.workloads:
            return False
        if workload.variant == "database" and not self.main:
            return False
        return first_round or workload.once == "none" or (workload.once == "others" and self.main)


def _template(name: str, title: str, *arguments: str, tasks: str = "template_tasks", **variables: str) -> Subject:
    worker = ("worker", "--without-mingle", "--without-gossip")  # as in the images
    return Subject(
        name=f"template-{name}",
        title=f"this template, {title}",
        module=f"{TASKS}.template",
        command=("python", "-m", "workerkit", "-A", f"{TASKS}.{tasks}", *worker, *arguments),
        environment="",
        variables=variables,
        soon="lease of 2 s (default 15 s)",
        packages=("celery", "kombu", "redis"),
        apart=_APART,
        main=name != "threads",
    )


SUBJECTS = (
    _template("prefork", "prefork, -c 2", *_TWO),
    _template(
        "short", "pool for short tasks, -c 2", *_TWO, CELERYCONFIG_WORKER_POOL="workerkit.short_tasks.pool:TaskPool"
    ),
    _template(
        "async",
        "pool for coroutines, -c 2",
        *_TWO,
        tasks="template_async_tasks",
        CELERYCONFIG_WORKER_POOL="workerkit.async_tasks.pool:AsyncPool",
    ),
    _template("threads", "threads, -c 20", "--pool", "threads", "--concurrency", "20"),
    Subject(
        name=BASELINE,
        title="plain Celery, prefork, -c 2",
        module=f"{TASKS}.celery_tasks",
        command=(*_CELERY, "--queues", "celery", *_TWO, "--loglevel", "INFO"),
        environment="",
        soon="visibility timeout of 3 s (default 1 h), looked at every second (default: every 10th)",
        packages=("celery", "kombu", "billiard", "redis"),
        apart=_APART,
        main=True,
    ),
    Subject(
        name="celery-tuned",
        title="plain Celery, acks_late, prefetch 4, silent",
        module=f"{TASKS}.celery_tasks",
        command=(*_CELERY, *_TWO, "--loglevel", "WARNING", "--without-mingle", "--without-gossip"),
        environment="",
        variables={"BENCH_TUNED": "1"},
        soon="visibility timeout of 3 s (default 1 h), looked at every second (default: every 10th)",
        apart=_APART,
    ),
    Subject(
        name="celery-engine",
        title="plain Celery with one SQLAlchemy engine for each process; only with the database",
        module=f"{TASKS}.celery_tasks",
        command=(*_CELERY, *_TWO, "--loglevel", "INFO"),
        environment="",
        variables={"BENCH_ENGINE": "1"},
        main=True,
        workloads=("database",),
    ),
    Subject(
        name="dramatiq",
        title="dramatiq, -p 2 -t 8",
        module=f"{TASKS}.dramatiq_tasks",
        command=("dramatiq", "--processes", "{processes}", "--threads", "8", f"{TASKS}.dramatiq_tasks"),
        soon="heartbeat timeout of 3 s (default 60 s), looked at in every 10th command (default: every 1000th)",
        packages=("dramatiq", "redis", "hiredis"),
    ),
    Subject(
        name="taskiq-list",
        title="taskiq, list, 2 workers",
        module=f"{TASKS}.taskiq_tasks",
        command=("taskiq", "worker", "--workers", "{processes}", f"{TASKS}.taskiq_tasks:broker"),
        soon="it has no such setting",
        packages=("taskiq", "taskiq-redis"),
    ),
    Subject(
        name="taskiq-stream",
        title="taskiq, stream, 2 workers",
        module=f"{TASKS}.taskiq_tasks",
        command=("taskiq", "worker", "--workers", "{processes}", f"{TASKS}.taskiq_tasks:broker"),
        variables={"BENCH_STREAM": "1"},
        soon="idle timeout of 3 s (default 10 min), lock of 3 s (default: for ever)",
    ),
    Subject(
        name="huey",
        title="Huey, -w 2 -k process",
        module=f"{TASKS}.huey_tasks",
        command=("huey_consumer", "--workers", "{processes}", "--worker-type", "process", f"{TASKS}.huey_tasks.huey"),
        soon="it has no such setting",
        packages=("huey",),
    ),
    Subject(
        name="arq",
        title="arq, 100 jobs, poll_delay 10 ms",
        module=f"{TASKS}.arq_tasks",
        command=("arq", f"{TASKS}.arq_tasks.WorkerSettings"),
        environment="bench-arq",
        soon="job timeout of 2 s (default 5 min); 10 s more",
        packages=("arq", "redis", "hiredis"),
    ),
    Subject(
        name="rq",
        title="RQ, worker-pool -n 2",
        module=f"{TASKS}.rq_tasks",
        command=("rq", "worker-pool", "--num-workers", "{processes}", "--config", f"{TASKS}.rq_tasks", "bench"),
        soon="as it is: after 90 s it lists them as failed",
        packages=("rq",),
    ),
)
