"""Writes the table of services into README.md, from the first paragraph of each service's own README."""

import argparse
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_PLACE = re.compile(r"(<!-- services:.*?-->\n).*?(<!-- /services -->)", re.DOTALL)


def table(root: Path) -> str:
    """The table, a line for each service, sorted by name."""
    rows = [
        f"| [`{readme.parent.name}`](services/{readme.parent.name}/) | {_first(readme)} |\n"
        for readme in _readmes(root)
    ]
    return "".join(["| service | what it does |\n", "|---|---|\n", *rows])


def main() -> int:
    """Write the table, or with --check only say whether it is as it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if README.md is not up to date")
    check = parser.parse_args().check
    readme = ROOT / "README.md"
    before = readme.read_text()
    after = _PLACE.sub(lambda place: place[1] + table(ROOT) + place[2], before)
    if check and before != after:
        print("README.md is not up to date: run make docs", file=sys.stderr)
        return 1
    if before != after:
        readme.write_text(after)
    return 0


def _readmes(root: Path) -> list[Path]:
    return [dockerfile.with_name("README.md") for dockerfile in sorted(root.glob("services/*/Dockerfile"))]


def _first(readme: Path) -> str:
    return readme.read_text().split("\n\n")[1].replace("\n", " ")


if __name__ == "__main__":
    sys.exit(main())
