"""When, on what, and with which versions a run was made."""

import json
import os
import platform
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import psutil

from compare.subjects import Subject
from devstack.valkey import Valkey

_VERSIONS = """
import json, sys
from importlib.metadata import version
print(json.dumps({name: version(name) for name in sys.argv[1:]}))
"""


def _stolen() -> float:
    return float(getattr(psutil.cpu_times(), "steal", 0.0))


@dataclass
class Surroundings:
    """What a reader must know to compare figures.

    Args:
        began: in UTC.
        load: the machine's load average before the run.
        clock: monotonic seconds at the start.
        server: product and version.
        versions: of each environment's packages.
        stolen: what the host had given to other machines by then, in CPU seconds.
    """

    began: datetime
    load: float
    clock: float
    server: str = ""
    versions: list[str] = field(default_factory=list)
    stolen: float = field(default_factory=_stolen)

    def look(self, server: Valkey, subjects: Sequence[Subject]) -> None:
        """Ask for versions."""
        with server.client() as client:
            found = client.info("server")
        self.server = f"Valkey {found['valkey_version']}" if "valkey_version" in found else found["redis_version"]
        by_environment: dict[str, list[str]] = {}
        programs = {}
        for subject in subjects:
            by_environment.setdefault(subject.environment, []).extend(subject.packages)
            programs[subject.environment] = str(subject.programs / "python")
        for environment, packages in by_environment.items():
            if packages:
                argv = [programs[environment], "-c", _VERSIONS, *packages]
                out = json.loads(subprocess.run(argv, check=True, capture_output=True).stdout)
                self.versions.append(", ".join(f"{name} {version}" for name, version in out.items()))

    def sentence(self) -> str:
        """All of it."""
        minutes = (time.monotonic() - self.clock) / 60
        when = f"{self.began:%Y-%m-%d, %H:%M} UTC, {minutes:.0f} minutes"
        share = (_stolen() - self.stolen) / (time.monotonic() - self.clock) / (os.cpu_count() or 1)
        load = f"{os.cpu_count()} cores (load average before the run {self.load:.1f}; stolen by the host {share:.0%})"
        return f"{when}, {load}, Python {platform.python_version()}, {self.server}; {'; '.join(self.versions)}."
