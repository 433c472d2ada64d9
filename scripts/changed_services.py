"""`make changed base=REV`: prints, as one line of JSON, the services whose image changes between REV and now.

"Now" is the working tree, so it also answers before a commit. Whenever it cannot know, it names every service: an image
built for nothing costs minutes, an image not built is a fix that never ships. Needs git and nothing but Python.
"""

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

# Files that every image is built from, or by.
SHARED = frozenset({".dockerignore", ".github/workflows/images.yml", "scripts/requirements/build.txt"})
LIBRARY_LINE = re.compile(r"^\./(libs/[\w.-]+)", re.MULTILINE)


def git(root: Path, *arguments: str) -> str:
    """Return what git prints; raises CalledProcessError, after git's own words on stderr."""
    return subprocess.run(["git", "-C", str(root), *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout


def find_services(root: Path) -> list[str]:
    """Return the names of all services, which are the folders of `services` with a Dockerfile."""
    return sorted(dockerfile.parent.name for dockerfile in root.glob("services/*/Dockerfile"))


def find_commit(root: Path, revision: str) -> str | None:
    """Return the id of the commit that `revision` names, or None if this clone has none."""
    verify = ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"]
    found = subprocess.run(
        ["git", "-C", str(root), *verify], check=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    return found.stdout.strip() if found.returncode == 0 else None


def changed_files(root: Path, commit: str) -> list[PurePosixPath]:
    """Return the files that differ between `commit` and the working tree, new ones included."""
    # Without renames, a file that moves from one service to another counts for both.
    differing = git(root, "diff", "--name-only", "--no-renames", "-z", commit, "--")
    untracked = git(root, "ls-files", "--others", "--exclude-standard", "-z")
    return [PurePosixPath(name) for name in (differing + untracked).split("\0") if name]


def reaches_image(file: PurePosixPath) -> bool:
    """Tell whether a file of a service or a library can enter an image; .dockerignore keeps the same ones out."""
    return "tests" not in file.parts and file.name != "README.md"


def source_folders(root: Path, service: str) -> list[str]:
    """Return the folders that one image is built from: the service's own and its libraries'.

    requirements.in names every library, also those that other libraries need: no index has them.
    """
    requirements = root / "services" / service / "requirements.in"
    text = requirements.read_text(encoding="utf-8") if requirements.exists() else ""
    return [f"services/{service}", *LIBRARY_LINE.findall(text)]


def select(root: Path, services: Iterable[str], changed: Iterable[PurePosixPath]) -> list[str]:
    """Return those of `services` whose image is built from one of the `changed` files."""
    names = {str(file) for file in changed if reaches_image(file)}
    if names & SHARED:
        return list(services)
    folders = {"/".join(name.split("/")[:2]) for name in names}
    return [service for service in services if folders.intersection(source_folders(root, service))]


def changed_services(root: Path, base: str) -> list[str]:
    """Return the services whose image changes between `base` and the working tree; all, if there is no such commit."""
    services = find_services(root)
    commit = find_commit(root, base)
    if commit is None:
        print(f"No commit {base!r} in this clone to compare with, so every service counts.", file=sys.stderr)
        return services
    return select(root, services, changed_files(root, commit))


def main() -> None:
    """Read the command line and print one line of JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("base", nargs="?", help="commit, branch or tag to compare with; if it is unknown, all count")
    which.add_argument("--all", action="store_true", help="print every service, whatever changed")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[1], help="the repository's root")
    arguments = parser.parse_args()
    root: Path = arguments.root
    print(json.dumps(find_services(root) if arguments.all else changed_services(root, arguments.base)))


if __name__ == "__main__":
    main()
