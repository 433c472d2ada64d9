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
        probe: HEALTHCHECK of its Dockerfile, which exits 0 when the service is ready.
    """

    name: str
    folder: Path
    command: list[str]
    probe: list[str]


def discover(root: Path = ROOT) -> list[Service]:
    """All services, workers last, so that what they publish finds its reader."""
    services = [_read(dockerfile) for dockerfile in sorted(root.glob("services/*/Dockerfile"))]
    return sorted(services, key=lambda service: service.name.startswith("worker-"))


def _read(dockerfile: Path) -> Service:
    text = dockerfile.read_text().replace("\\\n", " ")
    return Service(
        name=dockerfile.parent.name,
        folder=dockerfile.parent,
        command=_exec_form(r"^CMD\s+(\[.*\])\s*$", text, dockerfile),
        probe=_exec_form(r"^HEALTHCHECK\s.*CMD\s+(\[.*\])\s*$", text, dockerfile),
    )


def _exec_form(pattern: str, text: str, dockerfile: Path) -> list[str]:
    found = re.search(pattern, text, re.MULTILINE)
    if found is None:
        raise ValueError(f'{dockerfile}: needs CMD and HEALTHCHECK in exec form, as in CMD ["celery", "..."]')
    words: list[str] = json.loads(found[1])
    return words
