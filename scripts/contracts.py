"""`make contracts`: writes contract.json beside the code of each worker, from the signatures of its tasks."""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from taskclient.contract_file import NAME

ROOT = Path(__file__).resolve().parents[1]
# What is set on this machine must not end in the files. The database is not connected to, but must be named.
_KEPT = ("PATH", "HOME", "LANG", "PYTHONPATH", "VIRTUAL_ENV")
_ENVIRONMENT = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing", "PYTHONUTF8": "1"}


def workers(root: Path) -> list[Path]:
    """The folders of all services that run tasks, and of the example that new ones are made from."""
    found = [*root.glob("services/*/app/tasks"), root / "scripts" / "example_worker" / "app" / "tasks"]
    return sorted(tasks.parents[1] for tasks in found if tasks.is_dir())


def contract(folder: Path) -> str:
    """The text that a worker's file must have."""
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ} | _ENVIRONMENT
    command = [sys.executable, "-m", "workerkit.contracts"]
    return subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout


def stale(root: Path) -> Iterator[tuple[Path, str]]:
    """The files that are missing or not up to date, with what they must say."""
    for folder in workers(root):
        file, text = folder / NAME, contract(folder)
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            yield file, text


def main() -> int:
    """Write the files, or with --check only say which are not as they should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file is not up to date")
    check = parser.parse_args().check
    found = 0
    for file, text in stale(ROOT):
        found += 1
        if check:
            print(
                f"{file.relative_to(ROOT)} is not up to date: run make contracts",
                file=sys.stderr,
            )
        else:
            file.write_text(text, encoding="utf-8")
            print(f"{file.relative_to(ROOT)} is written")
    return int(check and found > 0)


if __name__ == "__main__":
    sys.exit(main())
