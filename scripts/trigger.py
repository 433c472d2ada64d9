"""`make trigger-<task>`: runs now what beat runs later, with the payload of its schedule; without a name, lists them.

A name is the last part of the task's name, or the name of its schedule entry. The broker is TASK_BROKER_URL, or that of
`docker compose up` on this machine.
"""

import argparse
import json
import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

from workerkit.settings import DEVELOPMENT_PASSWORD

ROOT = Path(__file__).resolve().parents[1]


def schedules(root: Path = ROOT) -> dict[str, dict[str, Any]]:
    """All schedule entries of all services, from their celeryconfig.py, by the entry's name."""
    entries: dict[str, dict[str, Any]] = {}
    for config in sorted(root.glob("services/*/celeryconfig.py")):
        entries |= runpy.run_path(str(config)).get("beat_schedule", {})
    return entries


def find(name: str, entries: dict[str, dict[str, Any]]) -> dict[str, Any] | None:
    """The entry that `name` means: an entry's own name, or the last part of its task's name; `-` counts as `_`."""
    wanted = name.replace("-", "_")
    for entry_name, entry in entries.items():
        if wanted in (entry_name.replace("-", "_"), _short(entry["task"])):
            return entry
    return None


def main() -> int:
    """List the entries, or run the task of one of them and show how it goes; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="?", help="as in nightly")
    name = parser.parse_args().name
    entries = schedules()
    if name is None:
        print(_listing(entries))
        return 0
    entry = find(name, entries)
    if entry is None:
        print(f"trigger: beat runs nothing called {name!r}. What it runs:\n{_listing(entries)}", file=sys.stderr)
        return 2
    return _run(entry)


def _listing(entries: dict[str, dict[str, Any]]) -> str:
    lines = [f"make trigger-{_short(e['task']):<24} {e['schedule']!s:<44} {e['task']}" for e in entries.values()]
    return "\n".join(sorted(lines))


def _short(task: str) -> str:
    return task.rpartition(".")[2]


def _run(entry: dict[str, Any]) -> int:
    tasks = Path(sys.executable).with_name("tasks")
    payload = json.dumps(entry.get("kwargs", {}))
    environment = {"REDIS_PASSWORD": DEVELOPMENT_PASSWORD, **os.environ}
    command = [tasks, "run", entry["task"], "--json-payload", payload]
    return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
