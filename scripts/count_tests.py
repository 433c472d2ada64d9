"""Sums up the runs of `scripts/test`: what the tests measured, the slowest ones, which runs failed, all counts."""

import argparse
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

_SLOW_SECONDS = 20.0
_MOST_SLOW = 20


def main() -> int:
    """Print the sums of a folder with pytest's JUnit files; 1 if a run failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="holds NAME.xml for each run, and NAME.failed for each failed one")
    folder: Path = parser.parse_args().folder
    reports = [ET.parse(file).getroot() for file in sorted(folder.glob("*.xml"))]  # noqa: S314 - pytest wrote them
    for report in reports:
        for found in report.iter("property"):
            print(f"measured: {found.get('name')}: {found.get('value')}")
    for seconds, name in _slowest(reports):
        print(f"slow: {seconds:.0f} s: {name}")
    failed_runs = sorted(file.stem for file in folder.glob("*.failed"))
    for name in failed_runs:
        print(f"FAILED: {name}")
    counts = _count(reports)
    print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    return 1 if failed_runs or not counts["passed"] else 0


def _slowest(reports: list[ET.Element]) -> list[tuple[float, str]]:
    """Seconds and names, with what the test's fixtures took."""
    cases = [case for report in reports for case in report.iter("testcase")]
    found = [(float(case.get("time", 0)), f"{case.get('classname')}.{case.get('name')}") for case in cases]
    return sorted((one for one in found if one[0] >= _SLOW_SECONDS), reverse=True)[:_MOST_SLOW]


def _count(reports: list[ET.Element]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for suite in (suite for report in reports for suite in report.iter("testsuite")):
        tests, failures, errors, skipped = (
            int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")
        )
        counts["failed"] += failures + errors
        counts["skipped"] += skipped
        counts["passed"] += tests - failures - errors - skipped
    return counts


if __name__ == "__main__":
    sys.exit(main())
