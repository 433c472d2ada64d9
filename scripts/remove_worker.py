"""`make remove-worker purpose=billing`: takes a worker out of the repository, its folder and its compose entry."""

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path

from worker_names import COMPOSE, ROOT, BadPurpose, Purpose, rendered


def main() -> int:
    """Remove the worker; 0 if it is gone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("purpose", help="what it was for, such as billing")
    parser.add_argument("--force", action="store_true", help="remove work that is not committed, too")
    arguments = parser.parse_args()
    try:
        purpose = Purpose.parse(arguments.purpose)
        folder = _existing(purpose)
        if not arguments.force:
            _refuse_to_lose_work(purpose, folder)
    except BadPurpose as error:
        print(f"remove-worker: {error}", file=sys.stderr)
        return 2
    shutil.rmtree(folder)
    COMPOSE.write_text(_without_entry(COMPOSE.read_text(), purpose))
    for script in ("service_table", "redis_users"):
        subprocess.run([sys.executable, f"scripts/{script}.py"], cwd=ROOT, check=True)
    print(f"services/{purpose.service} and its entry in docker-compose.yml are gone.")
    return 0


def _existing(purpose: Purpose) -> Path:
    folder = ROOT / "services" / purpose.service
    if not folder.is_dir():
        raise BadPurpose(f"there is no services/{purpose.service}")
    return folder


def _refuse_to_lose_work(purpose: Purpose, folder: Path) -> None:
    fresh = rendered(purpose)
    changed = subprocess.run(
        ["git", "status", "--porcelain", "--untracked-files=all", "-z", "--", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    paths = [ROOT / line[3:] for line in changed if line]
    own = [path for path in paths if path.exists() and not _as_made(path, fresh.get(path.relative_to(folder)))]
    if own:
        names = "\n  ".join(str(path.relative_to(ROOT)) for path in own)
        raise BadPurpose(f"not committed, and not as new-worker made it:\n  {names}\nCommit it, or say force=1")


def _as_made(path: Path, fresh: str | None) -> bool:
    # new-worker formats what it wrote, so compare without white space.
    return fresh is not None and "".join(path.read_text().split()) == "".join(fresh.split())


def _without_entry(compose: str, purpose: Purpose) -> str:
    entry = rf"\n  {re.escape(purpose.service)}:\n(?:    .*\n)+"
    return re.sub(entry, "", compose).replace(purpose.compose_password, "")


if __name__ == "__main__":
    sys.exit(main())
