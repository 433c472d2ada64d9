"""The services of this repository, found by their folders; what they run stands in their Dockerfiles."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]


@dataclass(frozen=True)
class Service:
    """One folder below `services/`.

    Args:
        name: the folder's name.
        folder: its path.
        command: CMD of its Dockerfile.
        probe: HEALTHCHECK of its Dockerfile, which exits 0 when the service is ready; None for a one-shot service,
            which is ready when it has ended.
        uses_database: whether it needs PostgreSQL.
        uses_redis: whether it needs Redis, as all do that read the workers' settings.
    """

    name: str
    folder: Path
    command: list[str]
    probe: list[str] | None
    uses_database: bool
    uses_redis: bool

    @property
    def is_celery(self) -> bool:
        """Whether it runs a Celery application: a worker, beat, Flower."""
        return "app.celery_app" in self.command


def discover(root: Path = ROOT) -> list[Service]:
    """All services in the order of their start: one-shot ones, then the workers' readers, then the workers."""
    services = [_read(dockerfile) for dockerfile in sorted(root.glob("services/*/Dockerfile"))]
    return sorted(services, key=lambda service: (service.probe is not None, service.name.startswith("worker-")))


def _read(dockerfile: Path) -> Service:
    text = dockerfile.read_text().replace("\\\n", " ")
    command = _exec_form(r"^CMD\s+(\[.*\])\s*$", text)
    probe = _exec_form(r"^HEALTHCHECK\s.*CMD\s+(\[.*\])\s*$", text)
    if command is None or (probe is None and "\nHEALTHCHECK" in text):
        raise ValueError(f'{dockerfile}: needs CMD and HEALTHCHECK in exec form, as in CMD ["celery", "..."]')
    requirements = (dockerfile.parent / "requirements.in").read_text()
    return Service(
        name=dockerfile.parent.name,
        folder=dockerfile.parent,
        command=command,
        probe=probe,
        uses_database="./libs/datastore" in requirements,
        uses_redis="./libs/workerkit" in requirements,
    )


def _exec_form(pattern: str, text: str) -> list[str] | None:
    found = re.search(pattern, text, re.MULTILINE)
    words: list[str] | None = json.loads(found[1]) if found else None
    return words
