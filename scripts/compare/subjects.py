"""What is measured: each system with the command that starts its worker, for two cores."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from devstack.services import ROOT

TASKS = "compare.systems"
BASELINE = "celery"
_TEMPLATE = ("celery", "-A", f"{TASKS}.template_tasks", "worker", "--without-mingle", "--without-gossip")
_CELERY = ("celery", "-A", f"{TASKS}.celery_tasks", "worker")


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
    """

    name: str
    title: str
    module: str
    command: tuple[str, ...]
    environment: str = "bench"
    variables: Mapping[str, str] = field(default_factory=dict)
    soon: str = ""
    packages: tuple[str, ...] = ()

    @property
    def programs(self) -> Path:
        """The folder with its Python and its commands."""
        return ROOT / ".venv" / (f"share/{self.environment}/bin" if self.environment else "bin")

    def argv(self) -> list[str]:
        """The worker's command."""
        return [str(self.programs / self.command[0]), *self.command[1:]]


def _template(name: str, title: str, *arguments: str, **variables: str) -> Subject:
    return Subject(
        name=f"template-{name}",
        title=f"this template, {title}",
        module=f"{TASKS}.template_tasks",
        command=(*_TEMPLATE, *arguments),
        environment="",
        variables=variables,
        soon="lease of 2 s (default 15 s)",
    )


SUBJECTS = (
    _template("prefork", "prefork, -c 2", "--concurrency", "2"),
    _template(
        "short",
        "pool for short tasks, -c 2",
        "--concurrency",
        "2",
        CELERYCONFIG_WORKER_POOL="workerkit.short_tasks.pool:TaskPool",
    ),
    _template("threads", "threads, -c 20", "--pool", "threads", "--concurrency", "20"),
    Subject(
        name=BASELINE,
        title="plain Celery, prefork, -c 2",
        module=f"{TASKS}.celery_tasks",
        command=(*_CELERY, "--queues", "celery", "--concurrency", "2", "--loglevel", "INFO"),
        environment="",
        soon="visibility timeout of 3 s (default 1 h), looked at every second (default: every 10th)",
        packages=("celery", "kombu", "billiard", "redis"),
    ),
    Subject(
        name="celery-tuned",
        title="plain Celery, acks_late, prefetch 4, silent",
        module=f"{TASKS}.celery_tasks",
        command=(*_CELERY, "--concurrency", "2", "--loglevel", "WARNING", "--without-mingle", "--without-gossip"),
        environment="",
        variables={"BENCH_TUNED": "1"},
        soon="visibility timeout of 3 s (default 1 h), looked at every second (default: every 10th)",
    ),
    Subject(
        name="dramatiq",
        title="dramatiq, -p 2 -t 8",
        module=f"{TASKS}.dramatiq_tasks",
        command=("dramatiq", "--processes", "2", "--threads", "8", f"{TASKS}.dramatiq_tasks"),
        soon="heartbeat timeout of 3 s (default 60 s), looked at in every 10th command (default: every 1000th)",
        packages=("dramatiq", "redis", "hiredis"),
    ),
    Subject(
        name="taskiq-list",
        title="taskiq, list, 2 workers",
        module=f"{TASKS}.taskiq_tasks",
        command=("taskiq", "worker", "--workers", "2", f"{TASKS}.taskiq_tasks:broker"),
        soon="it has no such setting",
        packages=("taskiq", "taskiq-redis"),
    ),
    Subject(
        name="taskiq-stream",
        title="taskiq, stream, 2 workers",
        module=f"{TASKS}.taskiq_tasks",
        command=("taskiq", "worker", "--workers", "2", f"{TASKS}.taskiq_tasks:broker"),
        variables={"BENCH_STREAM": "1"},
        soon="idle timeout of 3 s (default 10 min), lock of 3 s (default: for ever)",
    ),
    Subject(
        name="huey",
        title="Huey, -w 2 -k process",
        module=f"{TASKS}.huey_tasks",
        command=("huey_consumer", "--workers", "2", "--worker-type", "process", f"{TASKS}.huey_tasks.huey"),
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
        command=("rq", "worker-pool", "--num-workers", "2", "--config", f"{TASKS}.rq_tasks", "bench"),
        soon="as it is: after 90 s it lists them as failed",
        packages=("rq",),
    ),
)
