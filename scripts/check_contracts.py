"""`make check-contracts base=main`: whether the contracts still accept what they accepted in a commit.

Compares each `contract.json` below services/ with that of the commit. Exits 1 if something breaks for callers or for
messages on their way, and 2 if the commit cannot be read. docs/how-to/change-a-contract.md says what to do then.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from taskclient.catalog import CatalogEntry
from taskclient.contract_file import NAME, UnreadableContract, parse_contract
from taskclient.contract_gate import BrokenTask, broken_tasks

ROOT = Path(__file__).resolve().parents[1]
_ADVICE = """
Callers and messages on their way rely on this. Take it back, or give the new form a new name (app.tasks.x.y_v2) and
keep the old task until `tasks can-deploy` finds no message of it; or, if all callers change with it, raise
`service_major` in the service's app/config.py and run make contracts. See docs/how-to/change-a-contract.md."""


class UnknownCommit(ValueError):
    """Git knows no such commit."""


def contracts_of(root: Path, base: str) -> list[CatalogEntry]:
    """The contracts as they were in a commit.

    Raises:
        UnknownCommit: there is none of that name.
        UnreadableContract: a file of the commit is none.
    """
    commit = _git(root, "rev-parse", "--verify", "--end-of-options", f"{base}^{{commit}}").strip()
    names = _git(root, "ls-tree", "-r", "--name-only", "-z", commit, "--", "services").split("\0")
    files = [
        name for name in names if Path(name).name == NAME and len(Path(name).parts) == len(("services", "x", NAME))
    ]
    return [entry for name in files for entry in parse_contract(_git(root, "show", f"{commit}:{name}"), name)]


def contracts_now(root: Path) -> list[CatalogEntry]:
    """The contracts of the working tree.

    Raises:
        UnreadableContract: a file is none.
    """
    files = sorted(root.glob(f"services/*/{NAME}"))
    return [entry for file in files for entry in parse_contract(file.read_text(encoding="utf-8"), str(file))]


def main() -> int:
    """Compare, and print what breaks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", help="commit, branch or tag to compare with, as in origin/main")
    parser.add_argument("--root", type=Path, default=ROOT, help="the repository's root")
    arguments = parser.parse_args()
    try:
        old, new = contracts_of(arguments.root, arguments.base), contracts_now(arguments.root)
    except (UnknownCommit, UnreadableContract) as error:
        print(f"check-contracts: {error}", file=sys.stderr)
        return 2
    found = broken_tasks(old, new)
    for task in found:
        _show(task)
    refused = [task for task in found if not task.accepted]
    if refused:
        print(_ADVICE, file=sys.stderr)
    else:
        print(
            f"{len(old)} contracts of {arguments.base} compared: what was accepted is accepted, or changed on purpose."
        )
    return int(bool(refused))


def _show(task: BrokenTask) -> None:
    print(f"{task.name} ({task.service}){': accepted by the new major version' if task.accepted else ''}")
    for reason in task.reasons:
        print(f"  {reason}")


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise UnknownCommit(f"git {words[0]}: {done.stderr.strip()}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
